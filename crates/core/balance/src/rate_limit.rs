//! Core: how many requests a second each client may make, for many clients in bounded memory.
//!
//! The generic cell rate algorithm (ITU-T I.371), which is a token bucket kept as one moment: when the bucket will be full again.
//! Each request moves it by `1 / rate`; it may be at most `burst` requests ahead of now. The table is a fixed number of small
//! sets, as a processor's cache. A client whose bucket is full is one that was never seen, so its place is free without being
//! freed; only if all in a set still owe something the one that owes least is forgotten (and counted: make it larger then).
//!
//! Keys are hashes that clients cannot choose ([`crate::Key`]), or they could push each other out.

use std::time::Duration;

const WAYS: usize = 8;

/// So many requests a second, and so many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many more would be now.
    Allowed {
        left: u32,
    },
    Refused {
        retry_after: Duration,
    },
}

/// `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
pub struct RateLimit {
    slots: Vec<Slot>,
    forgotten: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u64,
    /// When its bucket is full again, in nanoseconds.
    full_at: u64,
}

impl RateLimit {
    /// `clients`: so many at least that owe something at the same time; 16 bytes for each.
    pub fn new(clients: usize) -> Self {
        let sets = clients.div_ceil(WAYS).next_power_of_two();
        Self { slots: vec![Slot::default(); sets * WAYS], forgotten: 0 }
    }

    /// May this client make a request? If so, it is paid for.
    pub fn ask(&mut self, now: Duration, key: u64, rate: Rate) -> Verdict {
        let now = now.as_nanos() as u64;
        let cost = (1e9 / rate.per_second.max(1e-6)) as u64;
        let ahead_max = cost.saturating_mul(u64::from(rate.burst.max(1)));
        let slot = self.slot(now, key);
        let full_at = slot.full_at.max(now).saturating_add(cost);
        let ahead = full_at - now;
        if ahead > ahead_max {
            return Verdict::Refused { retry_after: Duration::from_nanos(ahead - ahead_max) };
        }
        *slot = Slot { key, full_at };
        Verdict::Allowed { left: ((ahead_max - ahead) / cost.max(1)) as u32 }
    }

    /// How often somebody was forgotten who still owed something.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The client's own, or a free one, or that of whom owes least.
    fn slot(&mut self, now: u64, key: u64) -> &mut Slot {
        let sets = self.slots.len() / WAYS;
        // The upper half chooses the set: the lower one is what keys of other tables may already have been split by.
        let from = ((key >> 32) as usize & (sets - 1)) * WAYS;
        let set = &mut self.slots[from..from + WAYS];
        let own = set.iter().position(|slot| slot.key == key);
        let place = own.unwrap_or_else(|| {
            let least = (0..WAYS).min_by_key(|place| set[*place].full_at).unwrap_or(0);
            self.forgotten += u64::from(set[least].full_at > now);
            set[least] = Slot { key, full_at: 0 };
            least
        });
        &mut set[place]
    }
}

#[cfg(test)]
mod tests;
