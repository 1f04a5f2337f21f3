use super::*;

#[test]
fn names_as_bundlers_write_them_are_immutable() {
    for name in [
        "assets/index-BxK3_a1Z.js",
        "assets/index-Bx-3_a1Z.js",
        "static/js/main.073c9b0a.chunk.js",
        "app-5Q3XWZBK.js",
        "app-5Q3XWZBK.js.map",
        "base.27e20196a850.js",
        "chunk.8e0d62a0f1b2c3d4e5f6.mjs",
        "application-8dc7a3c6b6f0b5d1e2a4c8f0a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2d3e.css",
    ] {
        assert!(Immutable::Hashed.covers(name), "{name}");
    }
}

#[test]
fn names_as_people_write_them_are_not() {
    for name in [
        "index.html",
        "app.js",
        "jquery-3.7.1.min.js",
        "photo-20231231.jpg",
        "photo.20231231.jpg",
        "background-image.png",
        "iphone15pro-overview.webp",
        "my-holiday2023pictures.jpg",
        "bootstrap.bundle.min.js",
        "deadbeef",
        "073c9b0a.js",
        "2024-report-final.pdf",
    ] {
        assert!(!Immutable::Hashed.covers(name), "{name}");
    }
}

#[test]
fn a_pattern_says_it_by_path() {
    let covers = |pattern: &str, path: &str| Immutable::parse(pattern).unwrap().covers(path);
    assert!(covers("assets/*", "assets/a/b.js") && covers("/assets/*", "assets/a.js"));
    assert!(!covers("assets/*", "index.html") && !covers("assets/*", "more/assets/a.js"));
    assert!(covers("*.woff2", "fonts/a.woff2") && !covers("*.woff2", "fonts/a.woff"));
    assert!(covers("a/*/c/*.js", "a/b/c/d.js") && !covers("a/*/c/*.js", "a/b/d.js"));
    assert!(covers("one.js", "one.js") && !covers("one.js", "one.jsx"));
    assert!(!covers("ab*ba", "aba"), "the ends do not overlap");
}
