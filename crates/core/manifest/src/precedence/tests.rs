use expect_test::expect;

use crate::parse;

#[test]
fn what_asks_for_more_comes_first() {
    let routes = [
        "path = \"/*\"",
        "path = \"/a\"",
        "path = \"/a/*\"",
        "path = \"/a/*\"\nmethods = [\"GET\", \"POST\"]",
        "path = \"/a/*\"\nmethods = [\"GET\"]",
        "path = \"/a/*\"\nmatch_headers = { X-A = \"*\" }",
        "path = \"/a/*\"\nmatch_headers = { X-A = \"*\", X-B = \"*\" }",
        "path = \"/a/*\"\nhost = \"*.localhost\"",
        "path = \"/a/*\"\nhost = \"*.a.localhost\"",
        "path = \"/a/*\"\nhost = \"a.localhost\"",
        "path = \"/a/b/*\"",
    ];
    let sections = routes.map(|route| format!("[[route]]\nto = \"web\"\n{route}\n")).concat();
    let text = format!("name = \"a\"\n{sections}[service.web]\nrun = \"./web\"\n");
    let mut routes = parse("f", &text).unwrap_or_else(|faults| panic!("{faults}")).manifest.routes;
    routes.sort_by_key(|route| std::cmp::Reverse(route.precedence()));
    let told: String = routes.iter().map(|route| format!("{}\n", route.asks())).collect();
    expect![[r#"
        /a/b/*
        /a
        a.localhost/a/*
        *.a.localhost/a/*
        *.localhost/a/*
        /a/* x-a=* x-b=*
        /a/* x-a=*
        GET /a/*
        GET,POST /a/*
        /a/*
        /*
    "#]]
    .assert_eq(&told);
}
