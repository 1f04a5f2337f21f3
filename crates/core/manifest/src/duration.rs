//! core: a span of time as people write it, `500ms`, `10s`, `1h30m`, `7d`; and as JSON, whole milliseconds.

use std::fmt::Write;
use std::time::Duration;

use crate::invalid::Invalid;

/// Largest first; the parser wants them in this order, each at most once.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Longer than this is a slip of the unit.
const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Reads `1h30m`. Units: d, h, m, s, ms, largest first, whole numbers. `0` needs a unit like everything else.
pub fn parse_duration(text: &str) -> Result<Duration, Invalid> {
    let text = text.trim();
    let wrong =
        || Invalid::new(format!("`{text}` is not a duration")).help("write it like `500ms`, `10s`, `1h30m` or `7d`");
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Invalid::new(format!("the duration `{text}` has no unit"))
            .help(format!("write `{text}s` for seconds or `{text}ms` for milliseconds")));
    }
    let (mut rest, mut units, mut total) = (text, &UNITS[..], Some(0u64));
    while !rest.is_empty() {
        let digits_len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = rest.split_at(digits_len);
        let after = after.trim_start();
        let unit_len = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(unit_len);
        let position = units.iter().position(|(name, _)| *name == unit).ok_or_else(wrong)?;
        if digits.is_empty() {
            return Err(wrong());
        }
        let part = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(units[position].1));
        total = total.zip(part).and_then(|(total, part)| total.checked_add(part));
        (rest, units) = (after.trim_start(), &units[position + 1..]);
    }
    if text.is_empty() {
        return Err(wrong());
    }
    total
        .map(Duration::from_millis)
        .filter(|duration| *duration <= DURATION_MAX)
        .ok_or_else(|| Invalid::new(format!("the duration `{text}` is longer than ten years")))
}

/// The shortest text that [`parse_duration`] reads back to the same milliseconds.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if rest >= factor {
            // Writing into a `String` cannot fail.
            let _ = write!(text, "{}{unit}", rest / factor);
            rest %= factor;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// `#[serde(with = "duration::as_ms")]`
pub(crate) mod as_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(duration.as_millis()).map_err(S::Error::custom)?.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// `#[serde(with = "duration::as_ms_option")]`
pub(crate) mod as_ms_option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        let ms = duration.map(|duration| u64::try_from(duration.as_millis())).transpose();
        ms.map_err(S::Error::custom)?.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests;
