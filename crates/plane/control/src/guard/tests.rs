use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn origin_allowed(pairs: &[(&'static str, &str)]) -> bool {
    let (token, hosts) = (Secret::new("t"), vec!["admin.example.org".to_owned()]);
    let guard = Guard { token: &token, hosts: &hosts, is_open_to_scrapers: false };
    guard.check_origin(&Uri::from_static("/v1/status"), &headers(pairs)).is_ok()
}

fn access_allowed(token: &str, access: Access, is_open_to_scrapers: bool, shown: &str) -> bool {
    let token = Secret::new(token);
    Guard { token: &token, hosts: &[], is_open_to_scrapers }
        .check_access(access, &headers(&[("authorization", shown)]))
        .is_ok()
}

#[test]
fn addresses_localhost_and_configured_names_are_hosts_and_others_are_not() {
    for host in ["127.0.0.1:7654", "[::1]:7654", "localhost", "LOCALHOST:1", "10.0.0.7", "admin.example.org:443"] {
        assert!(origin_allowed(&[("host", host)]), "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7654", ""] {
        assert!(!origin_allowed(&[("host", host)]), "{host}");
    }
    assert!(!origin_allowed(&[]));
}

#[test]
fn a_foreign_origin_is_kept_out_and_the_own_is_not() {
    assert!(origin_allowed(&[("host", "localhost:7654"), ("origin", "http://localhost:7654")]));
    for origin in
        ["http://localhost:8080", "http://evil.example", "null", "file://", "http://localhost:7654.evil.example"]
    {
        assert!(!origin_allowed(&[("host", "localhost:7654"), ("origin", origin)]), "{origin}");
    }
}

#[test]
fn the_token_opens_and_nothing_else_does() {
    assert!(access_allowed("geheim", Access::Token, true, "Bearer geheim"));
    assert!(access_allowed("geheim", Access::Token, true, "bearer geheim"));
    for shown in ["Bearer geheim2", "Bearer gehei", "Bearer ", "geheim", "Basic geheim", ""] {
        assert!(!access_allowed("geheim", Access::Token, true, shown), "{shown}");
    }
}

#[test]
fn an_empty_token_opens_nothing() {
    assert!(!access_allowed("", Access::Token, false, "Bearer "));
}

#[test]
fn metrics_are_open_only_where_that_was_said() {
    assert!(access_allowed("geheim", Access::Scraper, true, ""));
    assert!(!access_allowed("geheim", Access::Scraper, false, ""));
    assert!(access_allowed("geheim", Access::Scraper, false, "Bearer geheim"));
    assert!(access_allowed("geheim", Access::Anybody, false, ""));
}
