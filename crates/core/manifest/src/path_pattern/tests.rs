use std::fmt::Write;

use expect_test::expect;
use proptest::prelude::*;

use super::*;

#[test]
fn the_table_of_what_matches_what() {
    let patterns =
        [("/", false), ("/", true), ("/*", false), ("/a", false), ("/a/", false), ("/a/", true), ("/a/*", false)];
    let paths = ["/", "/a", "/a/", "/a/b", "/ab", "/a%2Fb", "/A", "", "*"];
    let mut table = String::new();
    for (text, tree) in patterns {
        let pattern = PathPattern::parse(text, tree).expect("valid");
        write!(table, "{text}{} = {pattern}:", if tree { " (tree)" } else { "" }).expect("string");
        for path in paths {
            if let Some(Match { mount }) = pattern.matches(path) {
                write!(table, " {path}@{mount}").expect("string");
            }
        }
        table.push('\n');
    }
    expect![[r#"
        / = /: /@0
        / (tree) = /*: /@0 /a@0 /a/@0 /a/b@0 /ab@0 /a%2Fb@0 /A@0 @0
        /* = /*: /@0 /a@0 /a/@0 /a/b@0 /ab@0 /a%2Fb@0 /A@0 @0
        /a = /a: /a@2
        /a/ = /a/: /a/@2
        /a/ (tree) = /a/*: /a@2 /a/@2 /a/b@2
        /a/* = /a/*: /a@2 /a/@2 /a/b@2
    "#]]
    .assert_eq(&table);
}

#[test]
fn the_longest_wins_and_exact_wins_over_a_prefix() {
    let mut patterns: Vec<PathPattern> =
        ["/*", "/a/*", "/a", "/a/b", "/a/b/*", "/"].iter().map(|text| text.parse().expect("valid")).collect();
    patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.specificity()));
    let sorted: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    assert_eq!(sorted, ["/a/b", "/a/b/*", "/a", "/a/*", "/", "/*"]);
}

#[test]
fn patterns_that_can_never_match_are_refused() {
    let mut refused = String::new();
    for text in ["", "api", "*", "/a*", "/*/b", "/a/*/", "/a b", "/a?x=1", "/ä", "//", "/a/../b", "/a/./b", "/\n"] {
        let invalid = text.parse::<PathPattern>().expect_err(text);
        writeln!(refused, "{}: {invalid}; {}", text.escape_debug(), invalid.help.clone().unwrap_or_default())
            .expect("string");
    }
    expect![[r#"
        : the path `` does not start with `/`; write `/`
        api: the path `api` does not start with `/`; write `/api`
        *: the path `*` does not start with `/`; write `/*`
        /a*: `*` may only be the last part of a path, as in `/a/*`, not `/a*`; write `/*`
        /*/b: `*` may only be the last part of a path, as in `/a/*`, not `/*/b`; write `/*`
        /a/*/: `*` may only be the last part of a path, as in `/a/*`, not `/a/*/`; write `/a/*`
        /a b: the path `/a b` contains ` `; paths are compared as they come in requests, so write it percent-encoded; a query is not part of it
        /a?x=1: the path `/a?x=1` contains `?`; paths are compared as they come in requests, so write it percent-encoded; a query is not part of it
        /ä: the path `/ä` contains `ä`; paths are compared as they come in requests, so write it percent-encoded; a query is not part of it
        //: the path `//` has an empty, `.` or `..` part; requests are tidied before they are routed, so this would never match
        /a/../b: the path `/a/../b` has an empty, `.` or `..` part; requests are tidied before they are routed, so this would never match
        /a/./b: the path `/a/./b` has an empty, `.` or `..` part; requests are tidied before they are routed, so this would never match
        /\n: the path `/\n` contains `\n`; paths are compared as they come in requests, so write it percent-encoded; a query is not part of it
    "#]]
    .assert_eq(&refused);
}

proptest! {
    #[test]
    fn a_match_mounts_inside_the_path_and_at_a_part_border(pattern in "/[a*/]{0,6}", tree: bool, path in "/[a/]{0,8}") {
        if let Ok(pattern) = PathPattern::parse(&pattern, tree) && let Some(Match { mount }) = pattern.matches(&path) {
            prop_assert!(!path[..mount].ends_with('/'));
            prop_assert!(path[mount..].is_empty() || path[mount..].starts_with('/'));
            prop_assert_eq!(PathPattern::parse(&pattern.to_string(), false), Ok(pattern));
        }
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,12}", tree: bool) {
        let _ = PathPattern::parse(&text, tree);
    }
}
