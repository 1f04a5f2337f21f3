use std::sync::Arc;

use expect_test::{Expect, expect};
use ringway_catalog::{App, BlobId, Catalog, Release};

use super::*;

const SHOP: &str = r#"
name = "shop"
hosts = ["shop.test", "*.shop.test"]
[[route]]
path = "/"
to = "static:public"
fallthrough = true
[[route]]
path = "/*"
to = "web"
[[route]]
path = "/api/*"
to = "web"
strip = true
timeout = "3s"
[[route]]
path = "/api/*"
to = "web"
match_headers = { X-Beta = "1" }
[[route]]
path = "/api/*"
to = "web"
methods = ["POST"]
host = "admin.shop.test"
[[route]]
path = "/old/*"
redirect = "/new/*"
[service.web]
run = "./web"
"#;

const PLAIN: &str = r#"
name = "plain"
[[route]]
path = "/form"
to = "web"
methods = ["POST"]
https = true
[service.web]
run = "./web"
"#;

fn routes() -> Routes {
    let mut catalog = Catalog::default();
    for (text, deployed) in [(SHOP, 1), (PLAIN, 2)] {
        let manifest = ringway_manifest::parse("f", text).unwrap_or_else(|faults| panic!("{faults}")).manifest;
        let name = manifest.name.clone();
        let release = Release { number: 1, manifest, files: BlobId([0; 32]), files_len: 0, created_ms: 0 };
        let app = App { name: name.clone(), releases: vec![release], current: 1, first_deployed_ms: deployed };
        catalog.apps.insert(name, app);
    }
    Routes::new(Arc::new(catalog))
}

/// What is asked of the cache and the balancer.
struct Told;

impl Behind for Told {
    fn cache(&self, request: CacheRequest<'_>) -> Option<Decision> {
        let CacheRequest { key, method, .. } = request;
        Some(decision(format!("{method} {}{}", key.host, key.target), [key.app.to_string()]))
    }

    fn instance(&self, entry: &RouteEntry) -> Option<Decision> {
        Some(decision(entry.route.to.to_string(), ["it is asked"]))
    }
}

fn check(method: &str, url: &str, headers: &[(&str, &str)], expected: Expect) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, target) = rest.split_at(rest.find('/').unwrap());
    let request = ExplainRequest {
        method: method.to_owned(),
        tls: scheme == "https",
        host: host.to_owned(),
        target: target.to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let explanation = explain(&routes(), &request, Some(8443), &Told);
    let line = |what: &str, decision: &Option<Decision>| {
        let told = |decision: &Decision| format!("{what}: {} ({})\n", decision.result, decision.because.join("; "));
        decision.as_ref().map(told).unwrap_or_default()
    };
    let mut text = line("app", &explanation.app) + &line("route", &explanation.route);
    for other in &explanation.others {
        text += &format!("  {} -> {} {}\n", other.asks, other.to, other.because);
    }
    text += &format!("  and {} elsewhere; rules: {:?}\n", explanation.elsewhere, explanation.rules);
    text += &explanation.path_for_target.map(|path| format!("the target sees {path}\n")).unwrap_or_default();
    text += &(line("cache", &explanation.cache) + &line("instance", &explanation.instance));
    expected.assert_eq(&(text + &line("answer", &explanation.answer)));
}

#[test]
fn the_way_to_a_service_is_told_with_what_it_was_not() {
    check(
        "GET",
        "http://shop.test/api/x",
        &[("X-Beta", "2")],
        expect![[r#"
            app: shop (shop.test is one of its hosts)
            route: /api/* -> web (the path is below /api/*; its path says more than /*)
              POST admin.shop.test/api/* -> web is for another host
              /api/* x-beta=1 -> web wants the header x-beta: 1, which is 2
              /* -> static:public comes after it
              /* -> web comes after it
              and 1 elsewhere; rules: ["strip true", "timeout 3s"]
            the target sees /x
            cache: GET shop.test/api/x (shop)
            instance: web (it is asked)
        "#]],
    );
}

#[test]
fn a_static_route_that_passes_on_is_told_with_who_is_next() {
    check(
        "GET",
        "http://x.shop.test/logo.png",
        &[],
        expect![[r#"
            app: shop (x.shop.test is below one of its hosts)
            route: /* -> static:public (the path is below /*; it stands before /* -> web in the manifest)
              /* -> web asked if there is no such file
              and 4 elsewhere; rules: ["fallthrough true"]
        "#]],
    );
}

#[test]
fn redirects_are_told() {
    check(
        "GET",
        "http://127.0.0.1/old/a?b",
        &[],
        expect![[r#"
            app: shop (127.0.0.1 is an address, and this app was deployed first)
            route: /old/* -> 307 /new/* (the path is below /old/*; its path says more than /*)
              /* -> static:public comes after it
              /* -> web comes after it
              and 3 elsewhere; rules: []
            answer: 307 /new/a?b (the route is a redirect)
        "#]],
    );
    check(
        "POST",
        "http://plain.localhost/form",
        &[],
        expect![[r#"
            app: plain (plain.localhost is one of its hosts)
            route: POST /form -> web (it is this path; it is for POST)
              and 0 elsewhere; rules: ["https true"]
            answer: 308 https://plain.localhost:8443/form (the route is for https alone)
        "#]],
    );
}

#[test]
fn that_there_is_nothing_is_told_with_the_reason() {
    check(
        "GET",
        "http://plain.localhost/form",
        &[],
        expect![[r#"
            app: plain (plain.localhost is one of its hosts)
              POST /form -> web is for POST only
              and 0 elsewhere; rules: []
            answer: 405, Allow: POST (no route here is for GET)
        "#]],
    );
    check(
        "GET",
        "http://plain.localhost/x",
        &[],
        expect![[r#"
            app: plain (plain.localhost is one of its hosts)
              and 1 elsewhere; rules: []
            answer: 404 (no route is for this request)
        "#]],
    );
    check(
        "GET",
        "http://nowhere.test/",
        &[],
        expect![[r#"
              and 0 elsewhere; rules: []
            answer: 404 (no app is called nowhere.test)
        "#]],
    );
    check(
        "GET",
        "http://shop.test/a/../b",
        &[],
        expect![[r#"
              and 0 elsewhere; rules: []
            answer: 400 (the request is malformed: the path has a `..` part)
        "#]],
    );
    check(
        "G T",
        "http://shop.test/",
        &[],
        expect![[r#"
              and 0 elsewhere; rules: []
            answer: 400 (the method or a header is malformed)
        "#]],
    );
}
