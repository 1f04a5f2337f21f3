use http::HeaderValue;

use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOON: u64 = 784_111_777_000;
const AT_NOON: Exchange = Exchange { asked_ms: NOON, answered_ms: NOON };

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn date(ms: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms))
}

fn lifetime_of(lines: &[(&'static str, &str)]) -> Option<u64> {
    let headers = headers(lines);
    lifetime(&Response::of(&headers), &headers, AT_NOON).map(|lifetime| lifetime.as_secs())
}

#[test]
fn s_maxage_beats_max_age_and_max_age_beats_expires() {
    let expires = date(NOON + 10_000);
    assert_eq!(lifetime_of(&[("cache-control", "s-maxage=5, max-age=7"), ("expires", &expires)]), Some(5));
    assert_eq!(lifetime_of(&[("cache-control", "max-age=7"), ("expires", &expires)]), Some(7));
    assert_eq!(lifetime_of(&[("expires", &expires)]), Some(10));
    assert_eq!(lifetime_of(&[("cache-control", "public")]), None);
}

#[test]
fn expires_counts_from_date_not_from_our_clock() {
    let (made, expires) = (date(NOON - 60_000), date(NOON - 50_000));
    assert_eq!(lifetime_of(&[("date", &made), ("expires", &expires)]), Some(10));
}

#[test]
fn an_expires_that_is_no_date_is_in_the_past() {
    for bad in ["0", "-1", "tomorrow"] {
        assert_eq!(lifetime_of(&[("expires", bad)]), Some(0), "{bad}");
    }
}

#[test]
fn expires_says_nothing_beside_a_field_for_shared_caches() {
    assert_eq!(lifetime_of(&[("cdn-cache-control", "public"), ("expires", &date(NOON + 9_000))]), None);
    assert_eq!(lifetime_of(&[("cdn-cache-control", "max-age=3"), ("cache-control", "s-maxage=9")]), Some(3));
}

#[test]
fn the_age_is_the_larger_of_what_date_and_what_age_and_the_delay_say() {
    let age = |lines: &[(&'static str, &str)], delay_ms| {
        let exchange = Exchange { asked_ms: NOON - delay_ms, answered_ms: NOON };
        initial_age(&headers(lines), exchange).as_secs()
    };
    assert_eq!(age(&[("date", &date(NOON - 5_000))], 0), 5);
    assert_eq!(age(&[("age", "7")], 2_000), 9);
    assert_eq!(age(&[("age", "7"), ("date", &date(NOON - 30_000))], 2_000), 30);
    assert_eq!(age(&[("date", &date(NOON + 90_000))], 0), 0, "a clock that is ahead makes nothing younger than new");
    assert_eq!(age(&[("age", "3, 9")], 0), 3, "the first of a list");
    assert_eq!(age(&[("age", "old")], 0), 0, "one that is no number is not there");
}

#[test]
fn the_age_grows_while_it_is_stored() {
    let times = Times::new(1_000, Duration::from_secs(4), Duration::from_secs(10), &Response::default(), false);
    assert_eq!(times.age(6_000), Duration::from_secs(9));
    assert!(times.is_fresh(6_999) && !times.is_fresh(7_000));
}

#[test]
fn errors_are_good_for_a_moment_only_by_default() {
    let of = |status| default_lifetime(StatusCode::from_u16(status).unwrap(), Duration::from_secs(3600));
    for status in [200, 203, 204, 300, 301, 308] {
        assert_eq!(of(status), Some(Duration::from_secs(3600)), "{status}");
    }
    for status in [404, 405, 410, 414, 501] {
        assert_eq!(of(status), Some(NEGATIVE_LIFETIME_MAX), "{status}");
    }
    for status in [201, 302, 303, 307, 400, 401, 403, 500, 502, 503] {
        assert_eq!(of(status), None, "{status}");
    }
}

#[test]
fn what_can_be_revalidated_is_kept_when_it_is_stale_and_the_rest_is_not() {
    let kept = |said: &str, has_validator| {
        let said = Response::of(&headers(&[("cache-control", said)]));
        Times::new(0, Duration::ZERO, Duration::from_secs(1), &said, has_validator).useless_from_ms()
    };
    assert_eq!(kept("max-age=1", false), 1_000);
    assert_eq!(kept("max-age=1, stale-if-error=5", false), 6_000);
    assert_eq!(kept("max-age=1, stale-if-error=5, must-revalidate", false), 1_000);
    assert_eq!(kept("max-age=1", true), 1_000 + REVALIDATABLE_FOR.as_millis() as u64);
}
