use super::*;

#[test]
fn what_of_a_query_counts_is_in_one_order() {
    let key = |query: QueryRule, text: &str| CacheKeyRule { query, headers: Vec::new() }.query(text);
    let only = || QueryRule::Only(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(key(QueryRule::All, "b=1&a=2"), "b=1&a=2");
    assert_eq!(key(QueryRule::None, "b=1&a=2"), "");
    assert_eq!(key(only(), "utm_source=x&b=1&a=2"), "a=2&b=1");
    assert_eq!(key(only(), "a=2&b=1"), "a=2&b=1");
    assert_eq!(key(only(), "a=2&a=1&b"), "a=2&a=1&b", "the same name again keeps its order");
    assert_eq!(key(only(), "ab=1"), "");
}
