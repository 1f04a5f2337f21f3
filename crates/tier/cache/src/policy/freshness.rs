//! Core: how long a response is fresh, and how old it is (RFC 9111, 4.2).

use std::time::{Duration, UNIX_EPOCH};

use http::header::{self, HeaderName};
use http::{HeaderMap, StatusCode};

use crate::directives::{self, Response};

/// The longest that an error is taken for an answer because the route says how long answers are good.
pub(crate) const NEGATIVE_LIFETIME_MAX: Duration = Duration::from_secs(10);
/// How long what can be revalidated is kept after it has become stale.
pub(crate) const REVALIDATABLE_FOR: Duration = Duration::from_secs(3600);

/// When a response was asked for and when it began, by the wall clock: that is what `Date` is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    pub(crate) asked_ms: u64,
    pub(crate) answered_ms: u64,
}

/// A stored response's times. Those that end in `_ms` are of the cache's own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) stored_ms: u64,
    pub(crate) age_at_store: Duration,
    pub(crate) fresh_until_ms: u64,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    /// Never to be used stale, whoever asks for it.
    pub(crate) must_revalidate: bool,
    /// Never to be used without asking the app: `no-cache`.
    pub(crate) always_validate: bool,
    pub(crate) immutable: bool,
    pub(crate) has_validator: bool,
}

impl Times {
    pub(crate) fn new(now_ms: u64, age: Duration, lifetime: Duration, said: &Response, has_validator: bool) -> Self {
        let must_revalidate = said.must_revalidate || said.proxy_revalidate || said.no_cache;
        let window = |window: Option<Duration>| window.filter(|_| !must_revalidate).unwrap_or_default();
        let left = if said.no_cache { Duration::ZERO } else { lifetime.saturating_sub(age) };
        // `s-maxage` forbids staleness unless the same answer grants it (see the module's doc).
        let grants = said.stale_while_revalidate.is_some() || said.stale_if_error.is_some();
        Self {
            stored_ms: now_ms,
            age_at_store: age,
            fresh_until_ms: now_ms.saturating_add(left.as_millis() as u64),
            stale_while_revalidate: window(said.stale_while_revalidate),
            stale_if_error: window(said.stale_if_error),
            must_revalidate: must_revalidate || (said.s_maxage.is_some() && !grants),
            always_validate: said.no_cache,
            immutable: said.immutable,
            has_validator,
        }
    }

    pub(crate) fn age(&self, now_ms: u64) -> Duration {
        self.age_at_store + Duration::from_millis(now_ms.saturating_sub(self.stored_ms))
    }

    /// For how long it has been stale; zero while it is fresh.
    pub(crate) fn staleness(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms.saturating_sub(self.fresh_until_ms))
    }

    pub(crate) fn is_fresh(&self, now_ms: u64) -> bool {
        now_ms < self.fresh_until_ms
    }

    /// Whether a failing app may be stood in for. The request may ask for it, too (RFC 5861, 4).
    pub(crate) fn stands_in(&self, now_ms: u64, asked: Option<Duration>) -> bool {
        let window = self.stale_if_error.max(asked.unwrap_or_default());
        !self.must_revalidate && self.staleness(now_ms) < window
    }

    /// From when on it is of no use to anybody.
    pub(crate) fn useless_from_ms(&self) -> u64 {
        let kept = if self.has_validator { REVALIDATABLE_FOR } else { Duration::ZERO };
        let window = self.stale_while_revalidate.max(self.stale_if_error).max(kept);
        self.fresh_until_ms.saturating_add(window.as_millis() as u64)
    }
}

/// How long from its making on it is fresh, if it or the route says so: RFC 9111, 4.2.1.
pub(crate) fn lifetime(said: &Response, headers: &HeaderMap, exchange: Exchange) -> Option<Duration> {
    said.s_maxage.or(said.max_age).or_else(|| if said.is_targeted { None } else { until_expires(headers, exchange) })
}

/// `Expires` counts from `Date`. A date that is none is one in the past (5.3).
fn until_expires(headers: &HeaderMap, exchange: Exchange) -> Option<Duration> {
    let expires = headers.get(header::EXPIRES)?;
    let expires_ms = expires.to_str().ok().and_then(date_ms).unwrap_or(0);
    let made_ms = date_of(headers, header::DATE).unwrap_or(exchange.answered_ms);
    Some(Duration::from_millis(expires_ms.saturating_sub(made_ms)))
}

/// What the route's default comes to for this status. Only those that are cacheable without being told so (RFC 9110, 15.1).
pub(crate) fn default_lifetime(status: StatusCode, default: Duration) -> Option<Duration> {
    match status.as_u16() {
        200 | 203 | 204 | 300 | 301 | 308 => Some(default),
        404 | 405 | 410 | 414 | 501 => Some(default.min(NEGATIVE_LIFETIME_MAX)),
        _ => None,
    }
}

/// RFC 9111, 4.2.3: `corrected_initial_age`.
pub(crate) fn initial_age(headers: &HeaderMap, exchange: Exchange) -> Duration {
    let made_ms = date_of(headers, header::DATE).unwrap_or(exchange.answered_ms);
    let apparent = Duration::from_millis(exchange.answered_ms.saturating_sub(made_ms));
    let delay = Duration::from_millis(exchange.answered_ms.saturating_sub(exchange.asked_ms));
    // A `Date` of whole seconds is up to one second too early, which is no age.
    let apparent = if apparent < Duration::from_secs(1) { Duration::ZERO } else { apparent };
    apparent.max(age_value(headers) + delay)
}

/// The first of a list; one that is no number is not there (RFC 9111, 5.1).
fn age_value(headers: &HeaderMap) -> Duration {
    let text = headers.get(header::AGE).and_then(|age| age.to_str().ok()).unwrap_or_default();
    directives::seconds(text.split(',').next().unwrap_or_default().trim()).unwrap_or_default()
}

pub(crate) fn date_of(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok().and_then(date_ms)
}

fn date_ms(text: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(text).ok()?;
    Some(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}

#[cfg(test)]
mod tests;
