use super::*;

#[test]
fn the_tail_is_kept_where_it_is_asked_for() {
    let fill = |template: &str, rest: &str| PathTemplate::parse(template).unwrap().fill(rest);
    assert_eq!(fill("/new/*", "/a/b"), "/new/a/b");
    assert_eq!(fill("/new/*", "/"), "/new");
    assert_eq!(fill("/new/*", ""), "/new");
    assert_eq!(fill("/*", ""), "/");
    assert_eq!(fill("/*", "/a"), "/a");
    assert_eq!(fill("/new", "/a/b"), "/new");
}

#[test]
fn a_tail_never_becomes_a_host() {
    for rest in ["//evil.example/x", "/\\evil.example/x", "///evil.example/x"] {
        assert_eq!(PathTemplate::parse("/*").unwrap().fill(rest), "/evil.example/x");
    }
}

#[test]
fn an_address_names_its_host_and_a_path_does_not() {
    for text in ["https://a.example/*", "http://a.example:8080/x?y=1", "https://a.example", "/x", "/x?y=1"] {
        assert_eq!(PathTemplate::parse_location(text).unwrap().to_string(), text);
    }
    for text in
        ["", "x", "//a.example/", "https:///x", "https://*/x", "https://u@a.example/", "/a*", "/*/b", "/ä", "/a b"]
    {
        assert!(PathTemplate::parse_location(text).is_err(), "{text:?}");
    }
    for text in ["https://a.example/", "/x?y=1", "/x#y"] {
        assert!(PathTemplate::parse(text).is_err(), "{text:?}");
    }
}
