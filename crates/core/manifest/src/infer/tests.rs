use std::fmt::Write;

use expect_test::{Expect, expect};

use super::*;

fn check(listing: &[&str], procfile: Option<&str>, expected: Expect) {
    let entries: Vec<Entry> =
        listing.iter().map(|path| path.strip_suffix('/').map_or_else(|| Entry::file(*path), Entry::dir)).collect();
    let mut text = String::new();
    match infer("My App", &entries, procfile) {
        Err(faults) => writeln!(text, "{faults}").expect("string"),
        Ok(manifest) => {
            writeln!(text, "name {}", manifest.name).expect("string");
            for Route { path, to, fallthrough, .. } in &manifest.routes {
                writeln!(text, "route {path} -> {to}{}", if *fallthrough { " (fallthrough)" } else { "" })
                    .expect("string");
            }
            for (name, service) in &manifest.services {
                writeln!(text, "service {name}: {}", service.run).expect("string");
            }
            for (name, function) in &manifest.functions {
                writeln!(text, "function {name}: {}", function.run).expect("string");
            }
        }
    }
    expected.assert_eq(&text);
}

#[test]
fn a_public_directory_is_served() {
    check(
        &["public/", "index.html", "README.md"],
        None,
        expect![[r#"
            name my-app
            route /* -> static:public
        "#]],
    );
    // The directory itself need not be listed.
    check(
        &["public/index.html"],
        None,
        expect![[r#"
            name my-app
            route /* -> static:public
        "#]],
    );
}

#[test]
fn everything_together_has_its_place() {
    let listing = ["public/", "cgi-bin/", "Procfile", "price.wasm", "Tax_2.wasm", "sub/deep.wasm"];
    let procfile = "# processes\nweb: ./server --port $PORT\n\nworker_1: ./jobs\n";
    check(
        &listing,
        Some(procfile),
        expect![[r#"
            name my-app
            route /cgi-bin/* -> cgi:cgi-bin
            route /tax-2/* -> tax-2
            route /price/* -> price
            route /* -> static:public (fallthrough)
            route /* -> web
            service web: ./server --port $PORT
            service worker-1: ./jobs
            function price: wasm price.wasm
            function tax-2: wasm Tax_2.wasm
        "#]],
    );
}

#[test]
fn a_lone_component_answers_everything() {
    check(
        &["hello.wasm", "src/"],
        None,
        expect![[r#"
            name my-app
            route /* -> hello
            function hello: wasm hello.wasm
        "#]],
    );
    check(
        &["hello.wasm", "bye.wasm"],
        None,
        expect![[r#"
            name my-app
            route /bye/* -> bye
            route /hello/* -> hello
            function bye: wasm bye.wasm
            function hello: wasm hello.wasm
        "#]],
    );
}

#[test]
fn a_lone_index_page_makes_the_directory_the_site() {
    check(
        &["index.html", "style.css"],
        None,
        expect![[r#"
            name my-app
            route /* -> static:.
        "#]],
    );
}

#[test]
fn workers_alone_need_no_route() {
    check(
        &["Procfile", "index.html"],
        Some("worker: ./jobs"),
        expect![[r#"
            name my-app
            service worker: ./jobs
        "#]],
    );
}

#[test]
fn a_directory_that_means_nothing_says_what_would_mean_something() {
    check(
        &["README.md", "public"],
        Some("# nothing\n"),
        expect![[r#"
            My App: nothing to run here: no `ringway.toml`, `public/`, `cgi-bin/`, `Procfile`, `*.wasm` or `index.html`
              = help: go to the app directory, or run `ringway init` to write a manifest to begin with
        "#]],
    );
}

#[test]
fn all_that_is_wrong_with_a_procfile_is_said() {
    let procfile = "web ./server\nrelease: ./migrate\nweb: ./a\nWEB: ./b\nidle:\n";
    check(
        &["Procfile", "123.wasm"],
        Some(procfile),
        expect![[r#"
            Procfile:1:1: this is not a process
              |
            1 | web ./server
              |
              = help: write `NAME: COMMAND`, like `web: ./server --port $PORT`

            Procfile:2:1: `release` is a step before a release, and there is no such step yet
              |
            2 | release: ./migrate
              |
              = help: remove the line and run it yourself, or put it in front: `web: sh -c './migrate && ./server'`

            Procfile:4:1: there is a process `web` already
              |
            4 | WEB: ./b
              |
              = help: rename one of them

            Procfile:5:1: this is not a process
              |
            5 | idle:
              |
              = help: write `NAME: COMMAND`, like `web: ./server --port $PORT`

            123.wasm: no function can be named after this file
              = help: rename it, like `hello.wasm`
        "#]],
    );
    check(
        &["web.wasm", "Web.wasm"],
        Some("web: ./a"),
        expect![[r#"
            web.wasm: two things in this directory would be called `web`
              = help: rename one, or say what they are in `ringway.toml`: `ringway init` writes one to begin with

            My App: two things in this directory would be called `web`
              = help: rename one, or say what they are in `ringway.toml`: `ringway init` writes one to begin with
        "#]],
    );
}
