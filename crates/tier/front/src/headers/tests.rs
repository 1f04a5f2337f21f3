use expect_test::{Expect, expect};

use super::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect()
}

fn check(headers: &HeaderMap, expected: Expect) {
    let mut lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
    lines.sort();
    expected.assert_eq(&lines.concat());
}

#[test]
fn hop_by_hop_headers_and_our_own_end_here() {
    let mut map = headers(&[
        ("connection", "keep-alive, X-Secret-Hop, host, x-forwarded-for"),
        ("keep-alive", "timeout=5"),
        ("x-secret-hop", "1"),
        ("host", "a"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("proxy-authorization", "x"),
        ("ringway-forwarded", "me"),
        ("x-forwarded-for", "1.2.3.4"),
        ("cookie", "a=b"),
    ]);
    remove_hop_by_hop(&mut map);
    check(
        &map,
        expect![[r#"
        cookie: a=b
        host: a
        te: trailers
        x-forwarded-for: 1.2.3.4
    "#]],
    );
}

#[test]
fn a_stranger_cannot_say_who_it_is_and_a_trusted_proxy_can() {
    let said = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "bank"),
        ("forwarded", "for=6.6.6.6"),
    ];
    let mut origin = Origin { client: "10.0.0.1".parse().unwrap(), tls: false, host: "shop.example", trusted: false };
    let mut map = headers(&said);
    set_forwarded(&mut map, &origin);
    check(
        &map,
        expect![[r#"
        x-forwarded-for: 10.0.0.1
        x-forwarded-host: shop.example
        x-forwarded-proto: http
    "#]],
    );
    origin.trusted = true;
    let mut map = headers(&said);
    set_forwarded(&mut map, &origin);
    check(
        &map,
        expect![[r#"
        x-forwarded-for: 6.6.6.6, 10.0.0.1
        x-forwarded-host: bank
        x-forwarded-proto: https
    "#]],
    );
}

#[test]
fn request_ids_of_clients_are_kept_when_they_are_sane() {
    assert_eq!(request_id(&headers(&[("x-request-id", "a-B_c.9")])), Some("a-B_c.9"));
    for bad in ["", "a b", "a\"b", &"x".repeat(65)] {
        assert_eq!(request_id(&headers(&[("x-request-id", bad)])), None);
    }
}

#[test]
fn an_upgrade_needs_both_headers() {
    let both = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
    assert!(upgrade_of(&Method::GET, Version::HTTP_11, &both).is_some());
    assert!(upgrade_of(&Method::GET, Version::HTTP_10, &both).is_none());
    assert!(upgrade_of(&Method::GET, Version::HTTP_11, &headers(&[("upgrade", "websocket")])).is_none());
}
