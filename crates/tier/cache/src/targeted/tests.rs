use std::time::Duration;

use http::HeaderValue;

use super::*;

fn said(lines: &[&str]) -> Option<Response> {
    let mut headers = HeaderMap::new();
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    for line in lines {
        headers.append(FIELD, HeaderValue::from_str(line).unwrap());
    }
    parse(&headers)
}

#[test]
fn what_is_said_to_shared_caches_alone_counts_alone() {
    let directives = said(&["max-age=60, stale-while-revalidate=30;x=1"]).unwrap();
    assert_eq!(directives.max_age, Some(Duration::from_secs(60)));
    assert_eq!(directives.stale_while_revalidate, Some(Duration::from_secs(30)));
    assert!(!directives.no_store, "Cache-Control is for the others");
    let mut headers = HeaderMap::new();
    headers.insert(FIELD, HeaderValue::from_static("max-age=1"));
    headers.insert("cache-control", HeaderValue::from_static("private"));
    assert!(Response::of(&headers).is_targeted && !Response::of(&headers).private);
}

#[test]
fn one_that_does_not_parse_or_is_empty_is_not_there() {
    for bad in ["", "  ", "max-age=\"60", "Max-Age=60", "max-age=60,,no-store", "max-age=60 no-store", "=1"] {
        assert_eq!(said(&[bad]), None, "{bad:?}");
    }
}

#[test]
fn the_last_of_two_counts_over_all_lines_and_false_is_not_said() {
    let directives = said(&["max-age=1, no-store", "max-age=2, no-store=?0"]).unwrap();
    assert_eq!((directives.max_age, directives.no_store), (Some(Duration::from_secs(2)), false));
}

#[test]
fn a_lifetime_of_a_wrong_type_is_none() {
    for odd in ["max-age", "max-age=1.5", "max-age=-1", "max-age=(1 2)"] {
        assert_eq!(said(&[odd]).unwrap().max_age, Some(Duration::ZERO), "{odd}");
    }
}
