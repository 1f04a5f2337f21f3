//! Core: whether what is stored may be used for a request (RFC 9111, 4 and 5.2.1; RFC 5861, 3).

use crate::directives::Request;
use crate::policy::freshness::Times;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    Fresh,
    /// It is stale, and may be used while somebody revalidates it.
    WhileRevalidated,
    /// It is stale, and the client takes it so.
    Stale,
    /// Not without asking the app.
    Validate,
}

pub(crate) fn reuse(times: &Times, wish: &Request, now_ms: u64) -> Reuse {
    if times.always_validate || wish.no_cache {
        return Reuse::Validate;
    }
    if times.is_fresh(now_ms) {
        return if is_young_enough(times, wish, now_ms) { Reuse::Fresh } else { Reuse::Validate };
    }
    if times.must_revalidate {
        return Reuse::Validate;
    }
    let staleness = times.staleness(now_ms);
    // Somebody who wants it younger, or fresh for longer, does not want it stale.
    let is_picky = wish.min_fresh.is_some() || wish.max_age.is_some_and(|max| times.age(now_ms) > max);
    if wish.max_stale.is_some_and(|max| staleness <= max) && !is_picky {
        return Reuse::Stale;
    }
    match staleness < times.stale_while_revalidate && !is_picky {
        true => Reuse::WhileRevalidated,
        false => Reuse::Validate,
    }
}

fn is_young_enough(times: &Times, wish: &Request, now_ms: u64) -> bool {
    let left = times.fresh_until_ms.saturating_sub(now_ms);
    let is_fresh_for = wish.min_fresh.is_none_or(|min| u128::from(left) >= min.as_millis());
    // A reload does not make what never changes another (RFC 8246, 2).
    let is_old = wish.max_age.is_some_and(|max| times.age(now_ms) > max || max.is_zero()) && !times.immutable;
    is_fresh_for && !is_old
}

#[cfg(test)]
mod tests;
