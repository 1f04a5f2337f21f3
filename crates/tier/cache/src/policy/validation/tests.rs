use http::HeaderValue;

use super::*;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

#[test]
fn both_validators_go_with_the_question() {
    let asked = conditions(&headers(&[("etag", "W/\"1\""), ("last-modified", MODIFIED), ("date", MODIFIED)]));
    assert_eq!(asked, headers(&[("if-none-match", "W/\"1\""), ("if-modified-since", MODIFIED)]));
    assert!(conditions(&headers(&[("content-type", "text/html")])).is_empty());
}

#[test]
fn a_304_with_another_tag_is_about_something_else() {
    let stored = headers(&[("etag", "\"1\"")]);
    assert!(is_about(&stored, &headers(&[("etag", "W/\"1\"")])));
    assert!(!is_about(&stored, &headers(&[("etag", "\"2\"")])));
    assert!(!is_about(&headers(&[]), &headers(&[("etag", "\"2\"")])));
    assert!(is_about(&stored, &headers(&[])), "we asked about one only");
    assert!(!is_about(
        &headers(&[("last-modified", MODIFIED)]),
        &headers(&[("last-modified", "Mon, 07 Nov 1994 08:49:37 GMT")])
    ));
}

#[test]
fn a_304_replaces_headers_but_those_of_the_body_and_of_the_connection() {
    let stored = headers(&[
        ("content-length", "10"),
        ("content-encoding", "gzip"),
        ("content-type", "text/html"),
        ("cache-control", "max-age=1"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-kept", "1"),
    ]);
    let told = headers(&[
        ("content-length", "0"),
        ("content-encoding", "br"),
        ("content-type", "text/plain"),
        ("cache-control", "max-age=9"),
        ("x-a", "3"),
        ("x-new", "1"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
    ]);
    let expected = headers(&[
        ("content-length", "10"),
        ("content-encoding", "gzip"),
        ("content-type", "text/html"),
        ("cache-control", "max-age=9"),
        ("x-a", "3"),
        ("x-kept", "1"),
        ("x-new", "1"),
    ]);
    assert_eq!(freshened(&stored, &told), expected);
}

#[test]
fn a_head_with_another_length_or_validator_shows_that_it_has_changed() {
    let stored = headers(&[("etag", "\"1\""), ("content-length", "10")]);
    assert!(agrees(&stored, &headers(&[("etag", "\"1\""), ("content-length", "10")])));
    assert!(agrees(&stored, &headers(&[("x", "y")])));
    assert!(!agrees(&stored, &headers(&[("content-length", "11")])));
    assert!(!agrees(&stored, &headers(&[("etag", "\"2\"")])));
    assert!(!agrees(&stored, &headers(&[("last-modified", MODIFIED)])));
}
