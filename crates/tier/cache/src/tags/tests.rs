use http::HeaderValue;

use super::*;

fn tags(lines: &[(HeaderName, &str)]) -> Result<Vec<String>, &'static str> {
    let mut headers = HeaderMap::new();
    for (name, line) in lines {
        headers.append(name, HeaderValue::from_str(line).unwrap());
    }
    of(&headers).map(|tags| tags.iter().map(|tag| tag.to_string()).collect())
}

#[test]
fn both_spellings_are_read_and_each_tag_is_there_once() {
    let found = tags(&[(CACHE_TAG, "a, b c ,,a"), (SURROGATE_KEY, "d  a"), (CACHE_TAG, "e")]);
    assert_eq!(found.unwrap(), ["a", "b c", "e", "d"]);
    assert_eq!(tags(&[]).unwrap(), [""; 0]);
}

#[test]
fn an_answer_with_more_tags_than_are_kept_is_not_stored() {
    let many: Vec<String> = (0..=TAGS_MAX).map(|number| number.to_string()).collect();
    assert_eq!(tags(&[(CACHE_TAG, &many.join(","))]), Err("tags"));
    assert!(tags(&[(CACHE_TAG, &many[1..].join(","))]).is_ok());
    assert_eq!(tags(&[(SURROGATE_KEY, &"x".repeat(TAG_LEN_MAX + 1))]), Err("tags"));
}
