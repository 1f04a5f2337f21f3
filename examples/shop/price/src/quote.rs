//! Core: the price list and the quantity discounts. Text in, quote out.

/// What one piece costs, in cents.
const PRICES: [(&str, u64); 6] =
    [("mug", 1250), ("tee", 2400), ("poster", 1800), ("sticker", 300), ("tote", 1600), ("cap", 2100)];

/// From how many pieces on, how many percent off; the first that fits counts.
const DISCOUNTS: [(u64, u64); 2] = [(10, 20), (3, 10)];

const QTY_MAX: u64 = 1000;

pub struct Quote {
    sku: &'static str,
    qty: u64,
    unit_cents: u64,
}

/// A quote for `sku=mug&qty=3`; without a quantity for one piece. Unknown parameters are left alone.
pub fn for_query(query: &str) -> Result<Quote, String> {
    let (mut sku, mut qty) = ("", "1");
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "sku" => sku = value,
            "qty" => qty = value,
            _ => {}
        }
    }
    let (sku, unit_cents) = *PRICES.iter().find(|(name, _)| *name == sku).ok_or_else(unknown_sku)?;
    let qty = qty.parse().ok().filter(|qty| (1..=QTY_MAX).contains(qty)).ok_or_else(bad_qty)?;
    Ok(Quote { sku, qty, unit_cents })
}

impl Quote {
    pub fn to_json(&self) -> String {
        let Self { sku, qty, unit_cents } = self;
        let (discount_percent, total_cents) = (self.discount_percent(), self.total_cents());
        format!(
            "{{\"sku\":\"{sku}\",\"qty\":{qty},\"unit_cents\":{unit_cents},\
             \"discount_percent\":{discount_percent},\"total_cents\":{total_cents}}}\n"
        )
    }

    fn discount_percent(&self) -> u64 {
        let reached = DISCOUNTS.iter().find(|(from, _)| self.qty >= *from);
        reached.map_or(0, |(_, percent)| *percent)
    }

    /// Rounded down, in the customer's favour.
    fn total_cents(&self) -> u64 {
        self.unit_cents * self.qty * (100 - self.discount_percent()) / 100
    }
}

fn unknown_sku() -> String {
    let known: Vec<&str> = PRICES.iter().map(|(name, _)| *name).collect();
    format!("unknown sku, choose one of {}", known.join(", "))
}

fn bad_qty() -> String {
    format!("qty must be a whole number from 1 to {QTY_MAX}")
}
