use proptest::prelude::*;

use super::*;

fn response(line: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
    Response::of(&headers)
}

fn request(name: &'static str, line: &str) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(name), HeaderValue::from_str(line).unwrap());
    Request::of(&headers)
}

const fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn names_have_no_case_and_arguments_may_be_quoted() {
    let said = response("Max-Age=\"60\" , S-MAXAGE=5,PUBLIC , immutable");
    assert_eq!((said.max_age, said.s_maxage, said.public, said.immutable), (secs(60), secs(5), true, true));
}

#[test]
fn what_is_not_known_is_ignored() {
    assert_eq!(response("community=\"UCI, no-store\", max-age=1, , x"), response("max-age=1"));
}

#[test]
fn the_first_of_two_counts_and_a_number_that_is_none_is_stale() {
    assert_eq!(response("max-age=5, max-age=9").max_age, secs(5));
    for bad in ["max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=abc"] {
        assert_eq!(response(bad).max_age, secs(0), "{bad}");
    }
}

#[test]
fn too_large_a_number_is_the_largest() {
    assert_eq!(response("max-age=99999999999999999999999").max_age, secs(SECONDS_MAX));
    assert_eq!(response("max-age=2147483649").max_age, secs(2_147_483_648));
}

#[test]
fn fields_that_private_and_no_cache_name_are_withheld_and_the_rest_is_not_private() {
    let said = response("private=\"Set-Cookie, X-User\", no-cache=\"etag\"");
    assert!(!said.private && !said.no_cache);
    assert_eq!(said.withheld, [header::SET_COOKIE, HeaderName::from_static("x-user"), header::ETAG]);
    assert!(response("private").private && response("no-cache").no_cache);
}

#[test]
fn pragma_counts_only_without_cache_control() {
    assert!(request("pragma", "no-cache").no_cache);
    let mut headers = HeaderMap::new();
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=5"));
    assert!(!Request::of(&headers).no_cache);
}

#[test]
fn max_stale_without_an_argument_is_however_stale() {
    assert_eq!(request("cache-control", "max-stale").max_stale, secs(SECONDS_MAX));
    assert_eq!(request("cache-control", "max-stale=7").max_stale, secs(7));
}

proptest! {
    #[test]
    fn whatever_comes_is_read_without_a_panic_and_no_number_is_over_the_limit(
        line in "[a-z=\", ;\\\\0-9?()*.-]{0,60}|\\PC{0,40}",
    ) {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(line.as_bytes()) {
            headers.insert(header::CACHE_CONTROL, value.clone());
            let plain = Response::of(&headers);
            headers.insert("cdn-cache-control", value);
            for said in [plain, Response::of(&headers)] {
                let times = [said.max_age, said.s_maxage, said.stale_while_revalidate, said.stale_if_error];
                prop_assert!(times.into_iter().flatten().all(|time| time <= Duration::from_secs(SECONDS_MAX)));
            }
            Request::of(&headers);
        }
    }
}
