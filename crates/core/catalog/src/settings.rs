//! Core: what a cluster may be told about how it looks after its ring.

use serde::{Deserialize, Serialize};

use crate::Refusal;

const REPLACE_AFTER_MS_MIN: u64 = 1_000;
const REPLACE_AFTER_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// Slower than this and a move would not end.
pub const TRANSFER_RATE_MIN: u64 = 64 << 10;
const TRANSFER_RATE_MAX: u64 = 100 << 30;

/// The same for all nodes; `ringway ring set`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RingSettings {
    /// How long a node may be down before what it holds gets copies elsewhere.
    pub replace_after_ms: u64,
    /// Bytes that each node fetches in a second at most, when the ring changes.
    pub transfer_rate: u64,
}

impl Default for RingSettings {
    fn default() -> Self {
        Self { replace_after_ms: 60_000, transfer_rate: 32 << 20 }
    }
}

impl RingSettings {
    /// What is `None` stays. Nothing changes if one of them is refused.
    pub(crate) fn change(&mut self, replace_after_ms: Option<u64>, transfer_rate: Option<u64>) -> Result<(), Refusal> {
        let mut changed = *self;
        if let Some(ms) = replace_after_ms {
            let range = REPLACE_AFTER_MS_MIN..=REPLACE_AFTER_MS_MAX;
            changed.replace_after_ms = within("replace-after", ms, range, "ms")?;
        }
        if let Some(rate) = transfer_rate {
            changed.transfer_rate =
                within("transfer-rate", rate, TRANSFER_RATE_MIN..=TRANSFER_RATE_MAX, "bytes a second")?;
        }
        *self = changed;
        Ok(())
    }
}

fn within(what: &str, value: u64, range: std::ops::RangeInclusive<u64>, unit: &str) -> Result<u64, Refusal> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (what, unit) = (what.to_owned(), unit.to_owned());
    Err(Refusal::OutOfRange { what, value, unit, least: *range.start(), most: *range.end() })
}
