use expect_test::expect;
use ringway_ports::OtherRoute;

use super::*;

fn asked(url: &str, headers: &[&str]) -> Result<ExplainRequest> {
    let headers = headers.iter().map(|header| (*header).to_owned()).collect();
    request(&WhyArgs { url: url.to_owned(), method: "get".to_owned(), headers })
}

#[test]
fn an_address_may_lack_its_scheme_or_its_host() {
    let told =
        |url: &str| asked(url, &[]).map(|asked| format!("{} {} {}", asked.tls, asked.host, asked.target)).unwrap();
    assert_eq!(told("https://Shop.test:8443/a?b=c"), "true shop.test /a?b=c");
    assert_eq!(told("shop.test/a"), "false shop.test /a");
    assert_eq!(told("shop.test:8080"), "false shop.test /");
    assert_eq!(told("/a?b"), "false localhost /a?b");
    for bad in ["ftp://shop.test/", "http://", "a b"] {
        assert!(asked(bad, &[]).is_err(), "{bad}");
    }
}

#[test]
fn headers_are_given_as_to_curl() {
    let asked_with = asked("/", &["X-Beta: 1", "X-Empty:"]).unwrap();
    assert_eq!(asked_with.headers, [("X-Beta", "1"), ("X-Empty", "")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert!(asked("/", &["X-Beta"]).unwrap_err().to_string().contains("'X-Beta: 1'"));
}

fn decision(result: &str, because: &[&str]) -> Option<Decision> {
    Some(Decision { result: result.to_owned(), because: because.iter().map(|text| (*text).to_owned()).collect() })
}

#[test]
fn the_picture_is_a_tree_from_the_outside_in() {
    let other = OtherRoute { asks: "/*".to_owned(), to: "web".to_owned(), because: "comes after it".to_owned() };
    let explanation = Explanation {
        app: decision("shop", &["shop.test is one of its hosts"]),
        route: decision("/api/* -> api", &["the path is below /api/*"]),
        others: vec![other; 12],
        elsewhere: 3,
        rules: vec!["timeout 30s".to_owned()],
        path_for_target: Some("/x".to_owned()),
        cache: decision("hit", &["stored 12 s ago"]),
        instance: decision("shop/api#2 on n1", &[]),
        answer: None,
    };
    let text = picture(&asked("https://shop.test/api/x", &[]).unwrap(), &explanation);
    expect![[r#"
        GET https://shop.test/api/x
        ├─ app      shop
        │           shop.test is one of its hosts
        ├─ route    /api/* -> api
        │           the path is below /api/*
        │           not /* -> web: comes after it
        │           not /* -> web: comes after it
        │           not /* -> web: comes after it
        │           not /* -> web: comes after it
        │           not /* -> web: comes after it
        │           not /* -> web: comes after it
        │           not /* -> web: comes after it
        │           not /* -> web: comes after it
        │           not /* -> web: comes after it
        │           not /* -> web: comes after it
        │           nor 2 more routes for this path
        │           3 routes for other paths
        ├─ rules    timeout 30s
        │           the target sees /x
        ├─ cache    hit
        │           stored 12 s ago
        └─ instance shop/api#2 on n1
    "#]]
    .assert_eq(&text);
}

#[test]
fn that_there_is_nothing_is_told_with_what_there_is() {
    let other = OtherRoute { asks: "POST /a".to_owned(), to: "web".to_owned(), because: "is for POST only".to_owned() };
    let explanation = Explanation {
        app: decision("shop", &["shop.test is one of its hosts"]),
        others: vec![other],
        answer: decision("405, Allow: POST", &["no route here is for GET"]),
        ..Explanation::default()
    };
    expect![[r#"
        GET http://shop.test/a
        ├─ app      shop
        │           shop.test is one of its hosts
        └─ answer   405, Allow: POST
                    no route here is for GET
                    not POST /a -> web: is for POST only
    "#]]
    .assert_eq(&picture(&asked("shop.test/a", &[]).unwrap(), &explanation));
}
