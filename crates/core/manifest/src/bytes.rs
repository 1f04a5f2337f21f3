//! core: an amount of bytes as people write it.
//!
//! `kB`, `MB`, `GB`, `TB` are powers of 1000 and `KiB`, `MiB`, `GiB`, `TiB` powers of 1024, as SI and IEC say. A bare
//! `M` is refused: half of the tools mean the one, half the other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;

/// Largest factor first within each family: what [`Bytes`] prints is the first that divides.
const UNITS: [(&str, u64); 9] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// An amount of bytes. As JSON a plain number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bytes(pub u64);

impl Bytes {
    /// `n` megabytes of 1000 × 1000 bytes.
    pub const fn mb(n: u64) -> Bytes {
        Bytes(n * 1_000_000)
    }
}

impl FromStr for Bytes {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Bytes, Invalid> {
        let text = text.trim();
        let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = (&text[..digits_end], text[digits_end..].trim());
        if digits.is_empty() || unit.starts_with('.') {
            return Err(
                Invalid::new(format!("`{text}` is not a size")).help("write a whole number and a unit, like `64MB`")
            );
        }
        if unit.is_empty() {
            return Err(
                Invalid::new(format!("the size `{text}` has no unit")).help(format!("write `{text}B` or `{text}MB`"))
            );
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) else {
            return Err(unknown_unit(text, digits, unit));
        };
        let amount = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor));
        amount.map(Bytes).ok_or_else(|| Invalid::new(format!("the size `{text}` is too large")))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*factor);
        let (unit, factor) = UNITS.iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

fn unknown_unit(text: &str, digits: &str, unit: &str) -> Invalid {
    let invalid = Invalid::new(format!("the size `{text}` has an unknown unit"));
    match unit {
        "k" | "K" => invalid.help(format!("write `{digits}kB` (1000 bytes each) or `{digits}KiB` (1024 bytes each)")),
        "m" | "M" | "g" | "G" | "t" | "T" => {
            let unit = unit.to_uppercase();
            invalid.help(format!("write `{digits}{unit}B` (powers of 1000) or `{digits}{unit}iB` (powers of 1024)"))
        }
        _ => invalid.help("units: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024)"),
    }
}

#[cfg(test)]
mod tests;
