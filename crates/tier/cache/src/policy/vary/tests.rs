use http::HeaderValue;

use super::*;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

fn alike(vary: &'static str, first: &[(&'static str, &'static str)], second: &[(&'static str, &'static str)]) -> bool {
    let names = names(&headers(&[("vary", vary)])).unwrap();
    matches(&selecting(&names, &headers(first)), &headers(second))
}

#[test]
fn all_named_headers_must_match_and_no_others() {
    assert!(alike("accept", &[("accept", "text/html"), ("cookie", "a")], &[("accept", "text/html")]));
    assert!(!alike("accept", &[("accept", "text/html")], &[("accept", "text/plain")]));
    assert!(!alike("Accept, Accept-Language", &[("accept", "x")], &[("accept", "x"), ("accept-language", "en")]));
}

#[test]
fn a_header_that_is_missing_matches_one_that_is_missing_only() {
    assert!(alike("accept-language", &[], &[]));
    assert!(!alike("accept-language", &[], &[("accept-language", "")]));
    assert!(!alike("accept-language", &[("accept-language", "en")], &[]));
}

#[test]
fn lines_may_be_joined_and_white_space_means_nothing() {
    assert!(alike("accept", &[("accept", "a, b")], &[("accept", "a"), ("accept", "  b ")]));
    assert!(!alike("accept", &[("accept", "a, b")], &[("accept", "b, a")]), "an order may mean something");
}

#[test]
fn the_order_of_encodings_means_nothing() {
    let (one, other) = ([("accept-encoding", "gzip, deflate, br")], [("accept-encoding", "br, GZIP,deflate")]);
    assert!(alike("accept-encoding", &one, &other));
    assert!(!alike("accept-encoding", &one, &[("accept-encoding", "gzip;q=0, deflate, br")]));
}

#[test]
fn a_star_fits_nothing() {
    assert_eq!(names(&headers(&[("vary", "accept"), ("vary", "*")])), Err("vary"));
    assert!(names(&headers(&[])).unwrap().is_empty());
}
