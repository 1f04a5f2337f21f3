use super::*;

#[test]
fn a_file_comes_with_its_type_its_tag_and_a_policy_that_allows_nothing_foreign() {
    let response = respond("/", None).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(response.body().starts_with(b"<!doctype html>"));
}

#[test]
fn a_browser_that_has_the_file_gets_304_and_no_body() {
    let tag = respond("/console.js", None).unwrap().headers()[ETAG].clone();
    let again = respond("/console.js", Some(&tag)).unwrap();
    assert_eq!((again.status(), again.body().len()), (StatusCode::NOT_MODIFIED, 0));
    let other = respond("/console.css", Some(&tag)).unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

#[test]
fn only_the_pages_own_files_are_there() {
    for path in ["", "/index.html", "/console.html", "/../Cargo.toml", "//"] {
        assert!(respond(path, None).is_none(), "{path}");
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_nothing_that_the_policy_forbids() {
    for asset in &ASSETS {
        let text = asset.text.replace("http://www.w3.org/2000/svg", "");
        for forbidden in ["http://", "https://", "//cdn", " style=\"", "onclick=", "eval(", "innerHTML"] {
            assert!(!text.contains(forbidden), "{} has {forbidden}", asset.path);
        }
    }
}

#[test]
fn every_file_that_the_page_names_is_there() {
    let page = ASSETS[0].text;
    let named = page.split('"').filter(|part| part.starts_with('/') && part.len() > 1);
    let missing: Vec<&str> = named.filter(|path| respond(path, None).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
