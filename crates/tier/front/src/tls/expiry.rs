//! Core: which certificates somebody must renew soon. Told once a day each, from two weeks before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::certificate_source::Trouble;

const DAY: Duration = Duration::from_secs(24 * 3600);
const WARN_BEFORE: Duration = Duration::from_secs(14 * 24 * 3600);

/// A certificate and its end, since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    pub label: Arc<str>,
    pub valid_until: Duration,
    /// What to do about it.
    pub remedy: &'static str,
}

/// When each was told of last.
#[derive(Debug, Default)]
pub struct ExpiryWatch {
    told: BTreeMap<Arc<str>, Duration>,
}

impl ExpiryWatch {
    pub fn look(&mut self, now: Duration, expiries: &[Expiry]) -> Vec<Trouble> {
        let is_soon = |expiry: &&Expiry| expiry.valid_until < now + WARN_BEFORE;
        let soon: Vec<&Expiry> = expiries.iter().filter(is_soon).collect();
        self.told.retain(|label, _| soon.iter().any(|expiry| expiry.label == *label));
        let mut troubles = Vec::new();
        for expiry in soon {
            if self.told.get(&expiry.label).is_some_and(|told| now < *told + DAY) {
                continue;
            }
            self.told.insert(Arc::clone(&expiry.label), now);
            troubles.push(Trouble { about: expiry.label.to_string(), text: text(now, expiry) });
        }
        troubles
    }
}

fn text(now: Duration, expiry: &Expiry) -> String {
    let days = |span: Duration| match span.as_secs() / DAY.as_secs() {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    match expiry.valid_until.checked_sub(now) {
        Some(left) => format!("expires in {}: {}", days(left), expiry.remedy),
        None => format!("expired {} ago, and clients refuse it: {}", days(now - expiry.valid_until), expiry.remedy),
    }
}

#[cfg(test)]
mod tests;
