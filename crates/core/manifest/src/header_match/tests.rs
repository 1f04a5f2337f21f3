use super::*;

#[test]
fn a_header_is_there_begins_with_something_or_is_it() {
    let matches = |text: &str, value: &str| HeaderMatch::parse(text).unwrap().matches(value.as_bytes());
    assert!(matches("*", "") && matches("*", "anything"));
    assert!(matches("abc*", "abc") && matches("abc*", "abcd") && !matches("abc*", "ab") && !matches("abc*", "ABC"));
    assert!(matches("abc", "abc") && !matches("abc", "abcd"));
}

#[test]
fn what_it_was_read_from_is_what_it_shows() {
    for text in ["*", "abc*", "abc", "a b"] {
        assert_eq!(HeaderMatch::parse(text).unwrap().to_string(), text);
    }
    for text in ["", "a*b", "**", "a\nb", "é"] {
        assert!(HeaderMatch::parse(text).is_err(), "{text:?}");
    }
}
