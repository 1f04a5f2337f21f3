use super::*;

fn params(pattern: &str, path: &str) -> Option<Vec<String>> {
    matched(pattern, path)
        .map(|params| params.into_iter().map(|param| String::from_utf8_lossy(&param).into_owned()).collect())
}

fn some(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

#[test]
fn parts_of_the_path_are_decoded_after_it_was_cut() {
    assert_eq!(params("/v1/kv/{}/{*}", "/v1/kv/shop.cart/a%2Fb/c"), some(&["shop.cart", "a/b/c"]));
    assert_eq!(params("/v1/apps/{}", "/v1/apps/a%2Fb"), some(&["a/b"]));
}

#[test]
fn a_path_is_matched_whole() {
    for path in ["/v1/apps", "/v1/apps/", "/v1/apps/a/", "/v1/apps/a/b", "/v2/apps/a", "v1/apps/a"] {
        assert_eq!(params("/v1/apps/{}", path), None, "{path}");
    }
    assert_eq!(params("/v1/kv/{}/{*}", "/v1/kv/b/"), None);
    assert_eq!(params("/", "/"), some(&[]));
}

#[test]
fn the_wrong_method_is_told_the_right_ones() {
    let Err(Error::NotAllowed { allowed, .. }) = find(&Method::PATCH, "/v1/kv/b/k") else { panic!("not a 405") };
    assert_eq!(allowed, "GET, PUT, DELETE");
    assert!(find(&Method::HEAD, "/v1/health").is_ok());
}

#[test]
fn every_route_finds_itself_and_not_an_earlier_one() {
    for route in ROUTES {
        let path = route.path.replace("{*}", "rest").replace("{}", "part");
        let (found, _) = find(&route.method, &path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(std::ptr::eq(found, route), "{} {path}", route.method);
    }
}

#[test]
fn only_the_page_its_files_and_health_need_no_token() {
    let open: Vec<&str> = ROUTES.iter().filter(|route| route.access == Anybody).map(|route| route.path).collect();
    assert_eq!(open, ["/v1/health", "/", "/console.css", "/console.js", "/favicon.svg"]);
}
