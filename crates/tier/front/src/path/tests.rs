use expect_test::expect;

use super::*;

#[test]
fn paths_are_tidied_and_climbing_ones_refused() {
    let paths = [
        "/",
        "/a",
        "/a/",
        "//a",
        "/a//b",
        "/a/./b",
        "/a/.",
        "/.",
        "//",
        "/a/..",
        "/..",
        "/a/../b",
        "/%2e%2e/a",
        "/a/%2E./b",
        "/a%2f..%2fb",
        "/a%00b",
        "/a..b",
        "/a/...",
        "/a%20b",
        "*",
        "/a%5c..%5cb",
    ];
    let told: String = paths
        .iter()
        .map(|path| match tidy(path) {
            Ok(tidied) => format!("{path} = {tidied}\n"),
            Err(fault) => format!("{path}: {fault}\n"),
        })
        .collect();
    expect![[r#"
        / = /
        /a = /a
        /a/ = /a/
        //a = /a
        /a//b = /a/b
        /a/./b = /a/b
        /a/. = /a/
        /. = /
        // = /
        /a/..: the request is malformed: the path has a `..` part
        /..: the request is malformed: the path has a `..` part
        /a/../b: the request is malformed: the path has a `..` part
        /%2e%2e/a: the request is malformed: the path has a `..` part
        /a/%2E./b: the request is malformed: the path has a `..` part
        /a%2f..%2fb: the request is malformed: the path has a `..` part
        /a%00b: the request is malformed: the path has a NUL byte
        /a..b = /a..b
        /a/... = /a/...
        /a%20b = /a%20b
        *: the request is malformed: the address does not start with a slash
        /a%5c..%5cb: the request is malformed: the path has a `..` part
    "#]]
    .assert_eq(&told);
}

#[test]
fn hidden_files_and_encoded_slashes_are_no_files() {
    let paths = [
        "",
        "/",
        "/a.html",
        "/d/",
        "/.git/config",
        "/.well-known/x",
        "/a%2Fb",
        "/%2egit",
        "/with%20space",
        "/.well-knownx",
    ];
    let told: String = paths.iter().map(|path| format!("{path} = {:?}\n", file_of(path))).collect();
    expect![[r#"
         = Some("")
        / = Some("")
        /a.html = Some("a.html")
        /d/ = Some("d")
        /.git/config = None
        /.well-known/x = Some(".well-known/x")
        /a%2Fb = None
        /%2egit = None
        /with%20space = Some("with space")
        /.well-knownx = None
    "#]]
    .assert_eq(&told);
}
