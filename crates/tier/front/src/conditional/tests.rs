use expect_test::expect;
use http::HeaderValue;

use super::*;

const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

fn check(etag: &str, cases: &[&[(HeaderName, &str)]]) -> String {
    let validators = Validators { etag: etag.to_owned(), modified: httpdate::parse_http_date(THEN).unwrap() };
    let mut told = String::new();
    for case in cases {
        let headers: HeaderMap =
            case.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
        let shown: Vec<String> = case.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        told += &format!("{} -> {:?}\n", shown.join("; "), decide(&Method::GET, &headers, &validators, 100));
    }
    told
}

#[test]
fn conditions_are_weighed_in_the_order_of_the_specification() {
    let told = check(
        "\"a\"",
        &[
            &[],
            &[(header::IF_NONE_MATCH, "\"a\"")],
            &[(header::IF_NONE_MATCH, "W/\"a\"")],
            &[(header::IF_NONE_MATCH, "\"b\", \"a\"")],
            &[(header::IF_NONE_MATCH, "*")],
            &[(header::IF_NONE_MATCH, "\"b\""), (header::IF_MODIFIED_SINCE, LATER)],
            &[(header::IF_MODIFIED_SINCE, THEN)],
            &[(header::IF_MODIFIED_SINCE, BEFORE)],
            &[(header::IF_MODIFIED_SINCE, "yesterday")],
            &[(header::IF_MATCH, "\"b\"")],
            &[(header::IF_MATCH, "\"a\"")],
            &[(header::IF_UNMODIFIED_SINCE, BEFORE)],
            &[(header::IF_UNMODIFIED_SINCE, THEN)],
        ],
    );
    expect![[r#"
         -> Whole
        if-none-match: "a" -> NotModified
        if-none-match: W/"a" -> NotModified
        if-none-match: "b", "a" -> NotModified
        if-none-match: * -> NotModified
        if-none-match: "b"; if-modified-since: Sun, 06 Nov 1994 08:49:38 GMT -> Whole
        if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT -> NotModified
        if-modified-since: Sun, 06 Nov 1994 08:49:36 GMT -> Whole
        if-modified-since: yesterday -> Whole
        if-match: "b" -> PreconditionFailed
        if-match: "a" -> Whole
        if-unmodified-since: Sun, 06 Nov 1994 08:49:36 GMT -> PreconditionFailed
        if-unmodified-since: Sun, 06 Nov 1994 08:49:37 GMT -> Whole
    "#]]
    .assert_eq(&told);
}

#[test]
fn one_range_is_served_and_odd_ones_are_ignored() {
    let ranges = [
        "0-0",
        "0-",
        "99-",
        "100-",
        "-1",
        "-0",
        "-1000",
        "5-3",
        "10-1000",
        "0-1,3-4",
        "x-y",
        "99999999999999999999-",
        "1-2-3",
    ];
    let texts: Vec<String> = ranges.iter().map(|range| format!("bytes={range}")).collect();
    let cases: Vec<Vec<(HeaderName, &str)>> = texts.iter().map(|text| vec![(header::RANGE, text.as_str())]).collect();
    let cases: Vec<&[(HeaderName, &str)]> = cases.iter().map(Vec::as_slice).collect();
    expect![[r#"
        range: bytes=0-0 -> Part(0..1)
        range: bytes=0- -> Part(0..100)
        range: bytes=99- -> Part(99..100)
        range: bytes=100- -> Unsatisfiable
        range: bytes=-1 -> Part(99..100)
        range: bytes=-0 -> Unsatisfiable
        range: bytes=-1000 -> Part(0..100)
        range: bytes=5-3 -> Whole
        range: bytes=10-1000 -> Part(10..100)
        range: bytes=0-1,3-4 -> Part(0..5)
        range: bytes=x-y -> Whole
        range: bytes=99999999999999999999- -> Unsatisfiable
        range: bytes=1-2-3 -> Whole
    "#]]
    .assert_eq(&check("\"a\"", &cases));
}

#[test]
fn a_range_of_an_older_state_gets_the_whole_file() {
    let range = (header::RANGE, "bytes=1-2");
    let with = |value| vec![range.clone(), (header::IF_RANGE, value)];
    let cases = [with("\"a\""), with("\"b\""), with("W/\"a\""), with(THEN), with(LATER), with("nonsense")];
    let cases: Vec<&[(HeaderName, &str)]> = cases.iter().map(Vec::as_slice).collect();
    expect![[r#"
        range: bytes=1-2; if-range: "a" -> Part(1..3)
        range: bytes=1-2; if-range: "b" -> Whole
        range: bytes=1-2; if-range: W/"a" -> Whole
        range: bytes=1-2; if-range: Sun, 06 Nov 1994 08:49:37 GMT -> Part(1..3)
        range: bytes=1-2; if-range: Sun, 06 Nov 1994 08:49:38 GMT -> Whole
        range: bytes=1-2; if-range: nonsense -> Whole
    "#]]
    .assert_eq(&check("\"a\"", &cases));
    assert_eq!(check("W/\"a\"", &[&with("W/\"a\"")]).lines().filter(|line| line.ends_with("Whole")).count(), 1);
}

#[test]
fn a_range_means_nothing_to_other_methods() {
    let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static("bytes=0-1"))]);
    let validators = Validators { etag: "\"a\"".to_owned(), modified: httpdate::parse_http_date(THEN).unwrap() };
    assert_eq!(decide(&Method::HEAD, &headers, &validators, 100), Decision::Whole);
}
