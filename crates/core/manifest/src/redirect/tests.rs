use super::*;

#[test]
fn the_tail_and_the_query_go_along() {
    let location = |to: &str, rest: &str, query| Redirect::parse(to).unwrap().location(rest, query);
    assert_eq!(location("https://new.example/*", "/a", Some("q=1")), "https://new.example/a?q=1");
    assert_eq!(location("https://new.example/*", "", None), "https://new.example");
    assert_eq!(location("/new", "/a", None), "/new");
    assert_eq!(location("/new?from=old", "/a", Some("q=1")), "/new?from=old");
}
