use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::directives::Response;

/// Stored at 0 and fresh for 100 seconds. `at` is in seconds.
fn tried(response: &'static str, request: &'static str, at: u64) -> Reuse {
    let of = |line: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("cache-control", HeaderValue::from_static(line));
        headers
    };
    let said = Response::of(&of(response));
    let times = Times::new(0, Duration::ZERO, Duration::from_secs(100), &said, true);
    reuse(&times, &Request::of(&of(request)), at * 1_000)
}

#[test]
fn it_is_used_while_it_is_fresh_and_not_after() {
    assert_eq!(tried("max-age=100", "", 99), Reuse::Fresh);
    assert_eq!(tried("max-age=100", "", 100), Reuse::Validate);
}

#[test]
fn no_cache_on_either_side_asks_the_app() {
    assert_eq!(tried("no-cache", "", 1), Reuse::Validate);
    assert_eq!(tried("no-cache", "max-stale", 1), Reuse::Validate);
    assert_eq!(tried("max-age=100", "no-cache", 1), Reuse::Validate);
}

#[test]
fn a_client_may_want_it_younger_or_fresh_for_longer() {
    assert_eq!(tried("max-age=100", "max-age=50", 50), Reuse::Fresh);
    assert_eq!(tried("max-age=100", "max-age=50", 51), Reuse::Validate);
    assert_eq!(tried("max-age=100", "min-fresh=20", 80), Reuse::Fresh);
    assert_eq!(tried("max-age=100", "min-fresh=20", 81), Reuse::Validate);
    assert_eq!(tried("max-age=100", "max-age=0", 0), Reuse::Validate);
}

#[test]
fn a_reload_does_not_revalidate_what_never_changes_but_no_cache_does() {
    assert_eq!(tried("max-age=100, immutable", "max-age=0", 50), Reuse::Fresh);
    assert_eq!(tried("max-age=100, immutable", "no-cache", 50), Reuse::Validate);
    assert_eq!(tried("max-age=100, immutable", "max-age=0", 100), Reuse::Validate);
}

#[test]
fn a_client_may_take_it_stale() {
    assert_eq!(tried("max-age=100", "max-stale=10", 110), Reuse::Stale);
    assert_eq!(tried("max-age=100", "max-stale=10", 111), Reuse::Validate);
    assert_eq!(tried("max-age=100", "max-stale", 5_000), Reuse::Stale);
    assert_eq!(tried("max-age=100", "max-stale, max-age=50", 110), Reuse::Validate);
}

#[test]
fn what_must_be_revalidated_is_never_used_stale() {
    for strict in ["must-revalidate", "proxy-revalidate", "s-maxage=100"] {
        assert_eq!(tried(strict, "max-stale", 101), Reuse::Validate, "{strict}");
    }
    for strict in ["must-revalidate, stale-while-revalidate=50", "proxy-revalidate, stale-while-revalidate=50"] {
        assert_eq!(tried(strict, "", 101), Reuse::Validate, "{strict}");
    }
}

#[test]
fn it_is_used_while_it_is_revalidated_if_the_app_says_so() {
    assert_eq!(tried("stale-while-revalidate=50", "", 149), Reuse::WhileRevalidated);
    assert_eq!(tried("stale-while-revalidate=50", "", 150), Reuse::Validate);
    assert_eq!(tried("s-maxage=100, stale-while-revalidate=50", "", 149), Reuse::WhileRevalidated);
    assert_eq!(tried("stale-while-revalidate=50", "max-age=100", 149), Reuse::Validate);
}

#[test]
fn it_stands_in_for_an_error_if_the_app_or_the_client_says_so() {
    let stands_in = |response: &'static str, asked: Option<u64>, at: u64| {
        let mut headers = HeaderMap::new();
        headers.insert("cache-control", HeaderValue::from_static(response));
        let times = Times::new(0, Duration::ZERO, Duration::from_secs(100), &Response::of(&headers), true);
        times.stands_in(at * 1_000, asked.map(Duration::from_secs))
    };
    assert!(stands_in("stale-if-error=50", None, 149) && !stands_in("stale-if-error=50", None, 150));
    assert!(stands_in("max-age=100", Some(50), 149) && !stands_in("max-age=100", Some(50), 150));
    assert!(!stands_in("max-age=100", None, 101), "nobody has said so");
    assert!(!stands_in("stale-if-error=50, must-revalidate", Some(50), 101));
    assert!(!stands_in("stale-if-error=50, no-cache", None, 1));
}
