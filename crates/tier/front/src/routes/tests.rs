use expect_test::expect;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use ringway_catalog::{BlobId, Release};
use ringway_manifest::{HeaderMatch, Manifest, PathPattern, Route, Target};

use super::entry::Verdict;
use super::*;

/// Path, host, target.
type RouteText<'a> = (&'a str, Option<&'a str>, &'a str);

fn route((path, host, to): &RouteText) -> Route {
    let mut route = Route::new(PathPattern::parse(path, false).unwrap(), Target::Service((*to).to_owned()));
    route.host = host.map(str::to_owned);
    route
}

/// Apps by name, with their hosts and routes.
fn catalog(apps: &[(&str, &[&str], &[RouteText])]) -> Arc<Catalog> {
    catalog_of(apps.iter().map(|(name, hosts, routes)| (*name, *hosts, routes.iter().map(route).collect())))
}

fn catalog_of<'a>(apps: impl Iterator<Item = (&'a str, &'a [&'a str], Vec<Route>)>) -> Arc<Catalog> {
    let mut catalog = Catalog::default();
    for (name, hosts, routes) in apps {
        let mut manifest = Manifest::new(name);
        manifest.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        manifest.routes = routes;
        let release = Release { number: 1, manifest, files: BlobId([0; 32]), files_len: 0, created_ms: 0 };
        catalog.apps.insert(
            name.to_owned(),
            App { name: name.to_owned(), releases: vec![release], current: 1, first_deployed_ms: 1 },
        );
    }
    Arc::new(catalog)
}

#[test]
fn the_longest_path_wins_and_exact_wins_over_prefix() {
    let routes = Routes::new(catalog(&[(
        "shop",
        &[],
        &[
            ("/*", None, "all"),
            ("/api/*", None, "api"),
            ("/api", None, "exact"),
            ("/api/*", Some("admin.example"), "admin"),
        ],
    )]));
    let mut told = String::new();
    for (host, path) in [("x", "/"), ("x", "/api"), ("x", "/api/a"), ("x", "/apix"), ("ADMIN.example", "/api/a")] {
        let (method, headers) = (Method::GET, HeaderMap::new());
        let asked = Asked::new(host, path, &method, &headers);
        let app = routes.app_for(&asked).unwrap();
        let names: Vec<String> = app.matching(&asked).map(|(entry, _)| entry.route.to.to_string()).collect();
        told += &format!("{host}{path}: {}\n", names.join(" then "));
    }
    expect![[r#"
        x/: all
        x/api: exact then api then all
        x/api/a: api then all
        x/apix: all
        ADMIN.example/api/a: admin then api then all
    "#]]
    .assert_eq(&told);
}

#[test]
fn hosts_lead_to_apps() {
    let routes = Routes::new(catalog(&[
        ("shop", &["shop.example", "*.shop.example"], &[]),
        ("blog", &["*.a.shop.example"], &[]),
    ]));
    let mut told = String::new();
    for host in [
        "shop.example",
        "Shop.Example",
        "x.shop.example",
        "b.a.shop.example",
        "blog.localhost",
        "unknown",
        ".shop.example",
        "",
    ] {
        told += &format!("{host}: {:?}\n", routes.app_for_host(host).map(|app| app.app.as_ref()));
    }
    expect![[r#"
        shop.example: Some("shop")
        Shop.Example: Some("shop")
        x.shop.example: Some("shop")
        b.a.shop.example: Some("blog")
        blog.localhost: Some("blog")
        unknown: None
        .shop.example: None
        : None
    "#]]
    .assert_eq(&told);
    assert_eq!(
        routes.app_for_host("127.0.0.1").map(|app| app.app.as_ref()),
        Some("blog"),
        "by address: the first by name of equals"
    );
    assert_eq!(routes.app_for_host("[::1]").map(|app| app.app.as_ref()), Some("blog"));
    let only = Routes::new(catalog(&[("shop", &["shop.example"], &[])]));
    assert!(only.app_for_host("unknown").is_some(), "the only app answers for every host");
}

/// A request with the headers that a text lists: `x-a=1 x-b=2`.
fn headers(text: &str) -> HeaderMap {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
    };
    text.split_whitespace().map(pair).collect()
}

fn with(mut route: Route, methods: &[&str], headers: &[(&str, &str)]) -> Route {
    route.methods = methods.iter().map(|method| (*method).to_owned()).collect();
    let header = |(name, value): &(&str, &str)| ((*name).to_owned(), HeaderMatch::parse(value).unwrap());
    route.match_headers = headers.iter().map(header).collect();
    route
}

/// Routes with every kind of condition.
fn conditional() -> Routes {
    Routes::new(catalog_of(std::iter::once((
        "shop",
        &[][..],
        vec![
            route(&("/*", None, "all")),
            with(route(&("/api/*", None, "api-get")), &["GET"], &[]),
            with(route(&("/api/*", None, "api-write")), &["POST", "PUT"], &[]),
            with(route(&("/api/*", None, "beta")), &[], &[("x-beta", "1")]),
            with(route(&("/only/*", None, "poster")), &["POST"], &[]),
            with(route(&("/only", Some("a.test"), "putter")), &["PUT"], &[("x-a", "*")]),
        ],
    ))))
}

/// As the index sees it: who, whether plainly, and what else may be said.
fn told(routes: &Routes, method: &str, host: &str, path: &str, given: &str) -> String {
    let (method, given) = (method.parse().unwrap(), headers(given));
    let asked = Asked::new(host, path, &method, &given);
    let app = routes.app_for(&asked).unwrap();
    let mut matching = app.matching(&asked);
    let names: Vec<String> = matching.by_ref().take(1).map(|(entry, _)| entry.route.to.to_string()).collect();
    let plain = if matching.is_plain() { "" } else { " by method or headers" };
    format!("{} {:?}{plain}", names.join(" then "), app.allow(&asked))
}

#[test]
fn methods_and_headers_choose_and_it_is_known_that_they_did() {
    let routes = conditional();
    let mut text = String::new();
    for (method, host, path, given) in [
        ("GET", "x", "/", ""),
        ("GET", "x", "/api/a", ""),
        ("HEAD", "x", "/api/a", ""),
        ("PUT", "x", "/api/a", ""),
        ("DELETE", "x", "/api/a", ""),
        ("DELETE", "x", "/api/a", "x-beta=1"),
        ("DELETE", "x", "/api/a", "x-beta=2"),
        ("GET", "x", "/api/a", "x-beta=2 x-beta=1"),
        ("PUT", "A.test", "/only", "x-a=1"),
        ("PUT", "a.test", "/only", ""),
    ] {
        text += &format!("{method} {host}{path} {given}: {}\n", told(&routes, method, host, path, given));
    }
    expect![[r#"
        GET x/ : all None
        GET x/api/a : api-get Some("POST, PUT") by method or headers
        HEAD x/api/a : api-get Some("POST, PUT") by method or headers
        PUT x/api/a : api-write Some("GET, HEAD") by method or headers
        DELETE x/api/a : all Some("GET, HEAD, POST, PUT") by method or headers
        DELETE x/api/a x-beta=1: beta Some("GET, HEAD, POST, PUT") by method or headers
        DELETE x/api/a x-beta=2: all Some("GET, HEAD, POST, PUT") by method or headers
        GET x/api/a x-beta=2 x-beta=1: beta Some("POST, PUT") by method or headers
        PUT A.test/only x-a=1: putter Some("POST") by method or headers
        PUT a.test/only : all Some("POST") by method or headers
    "#]]
    .assert_eq(&text);
}

#[test]
fn only_the_method_being_wrong_is_405_with_those_that_are_right() {
    let routes = Routes::new(catalog_of(std::iter::once((
        "shop",
        &[][..],
        vec![
            with(route(&("/a", None, "get")), &["GET"], &[]),
            with(route(&("/a", None, "put")), &["PUT"], &[]),
            with(route(&("/a", None, "beta")), &["DELETE"], &[("x-beta", "1")]),
        ],
    ))));
    let allow = |path: &str, given: &str| {
        let (method, given) = (Method::POST, headers(given));
        let asked = Asked::new("x", path, &method, &given);
        let app = routes.app_for(&asked).unwrap();
        assert!(app.matching(&asked).next().is_none());
        app.allow(&asked)
    };
    assert_eq!(allow("/a", "").as_deref(), Some("GET, HEAD, PUT"));
    assert_eq!(allow("/a", "x-beta=1").as_deref(), Some("DELETE, GET, HEAD, PUT"));
    assert_eq!(allow("/b", ""), None);
}

#[test]
fn the_choice_says_why_and_why_not_the_others() {
    let routes = conditional();
    let mut text = String::new();
    for (method, host, path, given) in
        [("POST", "127.0.0.1", "/api/a", "x-beta=2"), ("GET", "shop.localhost", "/only", ""), ("GET", "z", "/z", "")]
    {
        let (method, given) = (method.parse().unwrap(), headers(given));
        let choice = routes.choose(&Asked::new(host, path, &method, &given));
        text += &format!("{method} {host}{path}: {:?}, {} elsewhere\n", choice.app.unwrap().1, choice.elsewhere);
        for considered in choice.considered {
            text += &format!("  {}: {:?}\n", considered.entry.route.to, considered.passed);
        }
    }
    expect![[r#"
        POST 127.0.0.1/api/a: Alone, 2 elsewhere
          beta: Header { name: "x-beta", wanted: "1", found: Some("2") }
          api-get: Method
          api-write: Chosen
          all: After
        GET shop.localhost/only: Named, 3 elsewhere
          putter: Host
          poster: Method
          all: Chosen
        GET z/z: Alone, 5 elsewhere
          all: Chosen
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_release_that_stays_keeps_its_routes_and_what_they_have_counted() {
    let mut catalog =
        (*catalog(&[("blog", &[], &[("/*", None, "all")]), ("shop", &[], &[("/*", None, "all")])])).clone();
    catalog.apps.get_mut("shop").unwrap().releases[0].manifest.routes[0].in_flight_max = Some(1);
    let entry_of = |routes: &Routes, host: &str| {
        let (method, headers) = (Method::GET, HeaderMap::new());
        let asked = Asked::new(host, "/", &method, &headers);
        Arc::clone(routes.app_for(&asked).unwrap().matching(&asked).next().unwrap().0)
    };
    let before = Routes::new(Arc::new(catalog.clone()));
    let held = entry_of(&before, "shop.localhost").enter().unwrap();
    catalog.apps.get_mut("blog").unwrap().releases[0].number = 2;
    catalog.apps.get_mut("blog").unwrap().current = 2;
    let after = before.renewed(Arc::new(catalog));
    let (shop, blog) = (entry_of(&after, "shop.localhost"), entry_of(&after, "blog.localhost"));
    assert!(!Arc::ptr_eq(&blog, &entry_of(&before, "blog.localhost")), "another release has other routes");
    assert!(shop.enter().is_none(), "the one that is under way still counts");
    drop(held);
    assert!(shop.enter().is_some());
    assert!(blog.enter().is_some(), "without a bound there is none");
}

#[test]
fn headers_are_set_and_taken_away_as_the_route_says() {
    let mut one = route(&("/*", None, "all"));
    one.headers = [("X-Set", "1"), ("Server", "")].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    one.request_headers = [("X-Team", "blue"), ("X-Debug", "")].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    let routes = Routes::new(catalog_of(std::iter::once(("shop", &[][..], vec![one]))));
    let entry = &routes.app_for_host("x").unwrap().entries[0];
    let mut request = headers("x-debug=1 x-team=red x-other=1");
    entry.prepare(&mut request);
    assert_eq!(request, headers("x-team=blue x-other=1"));
    let mut answer = headers("server=app");
    entry.finish(&mut answer);
    assert_eq!(answer, headers("x-set=1"));
}

/// The one route of an app, as the manifest says it.
fn only(route: &str) -> Arc<RouteEntry> {
    let text = format!("name = \"shop\"\n[[route]]\n{route}\n[service.web]\nrun = \"./web\"\n");
    let manifest = ringway_manifest::parse("f", &text).unwrap_or_else(|faults| panic!("{faults}")).manifest;
    let routes = Routes::new(catalog_of(std::iter::once(("shop", &[][..], manifest.routes))));
    Arc::clone(&routes.app_for_host("x").unwrap().entries[0])
}

#[test]
fn requests_are_sent_elsewhere_with_what_they_asked_for() {
    let sent = |route: &str, tls: bool, port| {
        let address = Address { tls, host: "a.test", path: "/old/x", query: Some("q=1"), mount: 4 };
        only(route).elsewhere(&address, port).map(|(status, location)| format!("{} {location}", status.as_u16()))
    };
    let https = "path = \"/old/*\"\nto = \"web\"\nhttps = true";
    assert_eq!(sent(https, false, Some(8443)).as_deref(), Some("308 https://a.test:8443/old/x?q=1"));
    assert_eq!(sent(https, false, Some(443)).as_deref(), Some("308 https://a.test/old/x?q=1"));
    assert_eq!(sent(https, false, None).as_deref(), Some("308 https://a.test/old/x?q=1"));
    assert_eq!(sent(https, true, None), None);
    let redirect = "path = \"/old/*\"\nredirect = \"https://b.test/new/*\"\nstatus = 301";
    assert_eq!(sent(redirect, true, None).as_deref(), Some("301 https://b.test/new/x?q=1"));
}

#[test]
fn a_page_is_for_browsers_that_navigate() {
    let page = only("path = \"/\"\nto = \"static:dist\"\nspa = true");
    let answers = |method: &str, given: &str| page.answers_with_page(&method.parse().unwrap(), &headers(given));
    assert!(answers("GET", "sec-fetch-mode=navigate accept=*/*"));
    assert!(answers("HEAD", "accept=text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
    assert!(!answers("GET", "sec-fetch-mode=no-cors accept=text/html"), "a browser says better itself");
    assert!(!answers("GET", "accept=*/*") && !answers("GET", "accept=image/png") && !answers("GET", ""));
    assert!(!answers("POST", "sec-fetch-mode=navigate"));
    assert!(!only("path = \"/\"\nto = \"static:dist\"").answers_with_page(&Method::GET, &headers("accept=text/html")));
}

#[test]
fn files_say_how_long_they_may_be_kept() {
    let entry = only("path = \"/\"\nto = \"static:dist\"\nimmutable = \"assets/*\"\ncache = \"1h\"");
    assert_eq!(entry.cache_control("/assets/a.js").unwrap(), "public, max-age=31536000, immutable");
    assert_eq!(entry.cache_control("/index.html").unwrap(), "public, max-age=3600");
    let off = only("path = \"/\"\nto = \"static:dist\"\ncache = \"off\"");
    assert_eq!(off.cache_control("/index.html").unwrap(), "no-store");
    assert_eq!(only("path = \"/*\"\nto = \"web\"\ncache = \"1h\"").cache_control("/x"), None);
}

#[test]
fn what_does_not_count_is_not_in_the_address_that_an_answer_is_kept_under() {
    let page = only("path = \"/*\"\nto = \"web\"\ncache_key = { query = [\"page\"], headers = [\"X-Lang\"] }");
    assert_eq!(page.cache_target("/a?utm=1&page=2"), "/a?page=2");
    assert_eq!(page.cache_target("/a?utm=1"), "/a");
    assert_eq!(page.cache_target("/a"), "/a");
    assert_eq!(page.cache_headers, [HeaderName::from_static("x-lang")]);
    let none = only("path = \"/*\"\nto = \"web\"\ncache_key = { query = \"none\" }");
    assert_eq!(none.cache_target("/a?b=1"), "/a");
    assert_eq!(only("path = \"/*\"\nto = \"web\"").cache_target("/a?b=1&a=1"), "/a?b=1&a=1");
}

/// Today's list, kept to compare with: every route is looked at.
fn by_list<'a>(app: &'a AppRoutes, asked: &'a Asked<'a>) -> impl Iterator<Item = &'a Arc<RouteEntry>> {
    app.entries.iter().filter(|entry| {
        entry.answers_host(&asked.host)
            && entry.route.path.matches(asked.path).is_some()
            && entry.verdict(asked.method, asked.headers) == Verdict::Matches
    })
}

/// Few words, so that routes and requests meet.
fn some_path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "%2F"]), 0..4)
        .prop_map(|parts| format!("/{}", parts.join("/")))
}

fn some_route() -> impl Strategy<Value = Route> {
    let host = prop::option::of(prop::sample::select(vec!["x.test", "*.test", "*.x.test", "y.test"]));
    let methods = prop::sample::subsequence(vec!["GET", "POST", "PUT"], 0..3);
    let headers = prop::sample::subsequence(vec![("x-a", "1"), ("x-b", "*")], 0..3);
    (some_path(), any::<bool>(), any::<bool>(), host, methods, headers).prop_map(
        |(path, prefix, slash, host, methods, headers)| {
            let path = match (prefix, path.trim_end_matches('/')) {
                (true, path) => format!("{path}/*"),
                (false, "") => "/".to_owned(),
                (false, path) if slash => format!("{path}/"),
                (false, path) => path.to_owned(),
            };
            with(route(&(&path, host, "to")), &methods, &headers)
        },
    )
}

proptest! {
    #[test]
    fn the_index_finds_what_the_list_finds_in_the_same_order(
        routes in prop::collection::vec(some_route(), 0..24),
        path in some_path(),
        slash in any::<bool>(),
        host in prop::sample::select(vec!["x.test", "y.test", "a.x.test", "X.TEST", "z", "test", ".test", ""]),
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE"]),
        given in prop::sample::select(vec!["", "x-a=1", "x-a=2 x-b=1", "x-a=1 x-b=2"]),
    ) {
        let routes = Routes::new(catalog_of(std::iter::once(("shop", &[][..], routes))));
        let path = if slash && !path.ends_with('/') { format!("{path}/") } else { path };
        let (method, given) = (method.parse().unwrap(), headers(given));
        let asked = Asked::new(host, &path, &method, &given);
        let app = routes.app_for(&asked).unwrap();
        let found: Vec<_> = app.matching(&asked).map(|(entry, _)| Arc::as_ptr(entry)).collect();
        let listed: Vec<_> = by_list(app, &asked).map(Arc::as_ptr).collect();
        prop_assert_eq!(&found, &listed);
        let chosen = routes.choose(&asked).chosen().map(Arc::as_ptr);
        prop_assert_eq!(chosen, listed.first().copied(), "what is told is what happens");
    }
}

#[test]
fn a_thousand_routes_cost_no_more_steps_than_ten() {
    let steps = |count: usize| {
        let routes =
            (0..count).map(|n| route(&(&format!("/part{n}/*"), None, "to"))).chain([route(&("/*", None, "all"))]);
        let routes = Routes::new(catalog_of(std::iter::once(("shop", &[][..], routes.collect()))));
        let app = routes.app_for_host("x").unwrap();
        let mut walk = app.index.walk("/part7/page");
        std::iter::from_fn(|| app.index.next(&mut walk, "x")).count()
    };
    assert_eq!((steps(10), steps(1000)), (2, 2), "only what is on the way is looked at");
}
