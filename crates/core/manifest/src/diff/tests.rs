use expect_test::{Expect, expect};

use super::*;
use crate::parse;

const OLD: &str = r#"
name = "shop"
[env]
LOG = "info"
API_TOKEN = "one"
GONE = "1"
[[route]]
path = "/*"
to = "static:public"
fallthrough = true
[[route]]
path = "/*"
to = "web"
[service.web]
run = "./web"
[kv.cart]
ttl = "7d"
[function.price]
wasm = "price.wasm"
"#;

fn manifest(text: &str) -> Manifest {
    parse("ringway.toml", text).unwrap_or_else(|faults| panic!("{faults}")).manifest
}

fn check(old: Option<&str>, new: &str, expected: Expect) {
    let changes = diff(old.map(manifest).as_ref(), &manifest(new));
    let lines: String = changes.iter().map(|change| format!("{change}\n")).collect();
    expected.assert_eq(&lines);
}

#[test]
fn a_first_deploy_adds_everything_and_tells_what_is_not_default() {
    check(
        None,
        OLD,
        expect![[r#"
            + app: name shop
            + env of the app: env API_TOKEN (hidden), env GONE 1, env LOG info
            + service web: run ./web
            + function price: run wasm price.wasm
            + bucket cart: ttl 7d
            + route /*: to static:public, fallthrough true
            + route /* (2): to web
        "#]],
    );
}

#[test]
fn the_same_again_changes_nothing() {
    check(Some(OLD), OLD, expect![""]);
}

#[test]
fn what_is_new_different_and_gone_is_told_and_no_secret_is() {
    let new = OLD
        .replace("LOG = \"info\"", "LOG = \"debug\"\nNEW = \"1\"")
        .replace("\"one\"", "\"two\"")
        .replace("GONE = \"1\"\n", "")
        .replace("to = \"web\"", "to = \"web\"\ntimeout = \"3s\"")
        .replace("run = \"./web\"", "run = \"./web\"\nreplicas = { min = 2, max = 10 }\nhealth = \"/up\"")
        .replace(
            "[kv.cart]\nttl = \"7d\"",
            "[kv.basket]\nlimit = \"1GB\"\ntogether = true\nops_per_second = 500\n[database]\nengine = \"sqlite\"",
        );
    check(
        Some(OLD),
        &new,
        expect![[r#"
            ~ env of the app: env API_TOKEN (hidden) -> (hidden), env LOG info -> debug, +env NEW 1, -env GONE
            + database: engine sqlite
            ~ service web: health none -> /up, replicas 1 -> 2..10, database false -> true
            + bucket basket: together true, limit 1GB, ops_per_second 500
            ~ route /* (2): timeout none -> 3s
            - bucket cart
        "#]],
    );
}

#[test]
fn what_a_route_asks_names_it_and_its_rules_are_told() {
    let old =
        "name = \"a\"\n[service.web]\nrun = \"./web\"\nprotocol = \"h2c\"\n[[route]]\npath = \"/a\"\nto = \"web\"\n";
    let new = format!(
        "{old}methods = [\"POST\"]\nrequests_per_second = 5\nrequest_headers = {{ X-Api-Key = \"s3cret\" }}\ncache = \"off\"\n\
         [[route]]\npath = \"/b/*\"\nredirect = \"/a/*\"\n"
    );
    check(
        Some(old),
        &new,
        expect![[r#"
        + route POST /a: to web, rate 5/s, burst 5, per client, cache off, request header X-Api-Key (hidden)
        + route /b/*: to 307 /a/*
        - route /a
    "#]],
    );
}
