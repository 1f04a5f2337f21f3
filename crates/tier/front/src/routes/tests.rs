use expect_test::expect;
use ringway_catalog::{BlobId, Release};
use ringway_manifest::{Manifest, PathPattern, Target};

use super::*;

/// Path, host, target.
type RouteText<'a> = (&'a str, Option<&'a str>, &'a str);

/// Apps by name, with their hosts and routes.
fn catalog(apps: &[(&str, &[&str], &[RouteText])]) -> Arc<Catalog> {
    let mut catalog = Catalog::default();
    for (name, hosts, routes) in apps {
        let mut manifest = Manifest::new(*name);
        manifest.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        manifest.routes = routes
            .iter()
            .map(|(path, host, to)| {
                let mut route = Route::new(PathPattern::parse(path, false).unwrap(), Target::Service((*to).to_owned()));
                route.host = host.map(str::to_owned);
                route
            })
            .collect();
        let release = Release { number: 1, manifest, files: BlobId([0; 32]), files_len: 0, created_ms: 0 };
        catalog.apps.insert(
            (*name).to_owned(),
            App { name: (*name).to_owned(), releases: vec![release], current: 1, first_deployed_ms: 1 },
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
        let names: Vec<String> = routes
            .app_for_host(host)
            .unwrap()
            .candidates(host, path)
            .map(|(entry, _)| entry.route.to.to_string())
            .collect();
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
