use http::HeaderValue;

use super::*;

fn changed(target: &str, status: u16, lines: &[(&'static str, &'static str)]) -> Vec<String> {
    let key = CacheKey { app: "shop".into(), tls: true, host: "example.org".into(), target: target.into() };
    let mut answer = HeaderMap::new();
    for (name, value) in lines {
        answer.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    targets(&key, StatusCode::from_u16(status).unwrap(), &answer)
}

#[test]
fn the_target_is_forgotten_unless_the_answer_is_an_error() {
    for status in [200, 201, 204, 303] {
        assert_eq!(changed("/a?b", status, &[]), ["/a?b"], "{status}");
    }
    for status in [400, 404, 409, 500] {
        assert!(changed("/a", status, &[("location", "/b")]).is_empty(), "{status}");
    }
}

#[test]
fn addresses_that_the_answer_names_are_forgotten_too() {
    let answer = [("location", "https://EXAMPLE.org:8443/new#top"), ("content-location", "../list?page=1")];
    assert_eq!(changed("/a/b/c", 201, &answer), ["/a/b/c", "/new", "/a/list?page=1"]);
    assert_eq!(changed("/a/b", 201, &[("location", "?x=1")]), ["/a/b", "/a/b?x=1"]);
    assert_eq!(changed("/a/b", 201, &[("location", "./")]), ["/a/b", "/a/"]);
    assert_eq!(changed("/a", 201, &[("location", "//example.org/z")]), ["/a", "/z"]);
}

#[test]
fn other_sites_are_not() {
    for other in ["https://evil.example/", "http://example.org/", "//evil.example/x", "https://", ""] {
        let name = HeaderName::from_static("location");
        let key = CacheKey { app: "".into(), tls: true, host: "example.org".into(), target: "/".into() };
        let answer = HeaderMap::from_iter([(name, HeaderValue::from_static(other))]);
        assert_eq!(targets(&key, StatusCode::OK, &answer), ["/"], "{other}");
    }
}
