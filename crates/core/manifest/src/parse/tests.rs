use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::{Balance, Bytes, Durability, FunctionRun, HashBy, Hedge, Immutable, Protocol, Replicas, TEMPLATE, Target};

pub(crate) const SHOP: &str = r#"
name = "shop"
[database]
engine = "sqlite"
[[route]]
path = "/"
to = "static:public"
cache = "1h"
[[route]]
path = "/api/products/*"
to = "catalog"
[[route]]
path = "/price"
to = "price"
[[route]]
path = "/guestbook"
to = "cgi:cgi-bin/guestbook"
[service.catalog]
run = "python3 catalog.py"
health = "/up"
[function.price]
wasm = "price.wasm"
[function.receipt]
lambda = "python3 -m awslambdaric receipt.handler"
build = "pip install -t . awslambdaric"
[kv.cart]
ttl = "7d"
"#;

/// Everything that can be said.
const RICH: &str = r#"
name = "rich"
compat = "2026-09-01"
hosts = ["rich.example.org", "*.rich.example.org"]
build = "make"
x-note = { free = ["for", "all"] }
[env]
LOG = "debug"
[[route]]
path = "/*"
host = "rich.example.org"
to = "static:./public/"
fallthrough = true
headers = { X-Frame-Options = "DENY" }
[[route]]
path = "/*"
host = "rich.example.org"
to = "web"
strip = true
body_max = "10MiB"
timeout = "1m30s"
[[route]]
path = "/cgi/"
to = "cgi:cgi-bin"
[[route]]
path = "/app/"
to = "static:dist"
spa = true
immutable = "assets/*"
cache = "off"
[[route]]
path = "/api/*"
to = "web"
methods = ["POST", "GET", "GET"]
match_headers = { X-Beta = "1", User-Agent = "curl*", Cookie = "*" }
https = true
rewrite = "/internal/*"
requests_per_second = 10
burst = 20
per = "header:X-Api-Key"
in_flight_max = 100
request_headers = { X-Team = "blue", X-Debug = "" }
cache = "10s"
cache_key = { query = ["page"], headers = ["X-Lang"] }
balance = "hash:cookie.sid"
retries = 2
hedge = "50ms"
[[route]]
path = "/old/*"
redirect = "https://new.example.org/*"
status = 308
[service.web]
run = "./web"
protocol = "h2c"
build = "make web"
replicas = { min = 0, max = 9 }
idle = "5m"
start_timeout = "1s"
stop_timeout = "2s"
x-owner = "the web team"
env = { LOG = "info" }
[service.jobs]
run = "./jobs"
replicas = 3
[function.hello]
cgi = "hello.sh"
timeout = "3s"
memory = "1GB"
concurrency = 2
idle = "1s"
instances_max = 4
[kv.cache]
consistency = "eventual"
replicas = 1
storage = "disk"
durability = "sync"
together = true
limit = "1GiB"
ops_per_second = 5000
connections = 100
"#;

fn manifest(text: &str) -> Manifest {
    let parsed = parse("ringway.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(parsed.warnings, [], "no warning was expected");
    parsed.manifest
}

fn check_faults(text: &str, expected: Expect) {
    let faults = parse("ringway.toml", text).expect_err("it has faults");
    expected.assert_eq(&format!("{faults}\n"));
}

fn check_warnings(text: &str, expected: Expect) {
    let parsed = parse("ringway.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
    expected.assert_eq(&format!("{}\n", Faults(parsed.warnings)));
}

#[test]
fn the_shop_is_understood() {
    let shop = manifest(SHOP);
    assert_eq!(shop.name, "shop");
    assert_eq!(shop.database, Some(Database { engine: DatabaseEngine::Sqlite }));
    let routes: Vec<String> = shop.routes.iter().map(|route| format!("{} {:?}", route.path, route.to)).collect();
    assert_eq!(
        routes,
        [
            "/* Static { dir: \"public\" }",
            "/api/products/* Service(\"catalog\")",
            "/price Function(\"price\")",
            "/guestbook Cgi { path: \"cgi-bin/guestbook\" }"
        ]
    );
    assert_eq!(shop.routes[0].cache, Some(Duration::from_secs(3600)));
    let catalog = &shop.services["catalog"];
    assert_eq!((catalog.health.as_deref(), catalog.replicas), (Some("/up"), Replicas { min: 1, max: 1 }));
    assert!(catalog.database, "an app's database is for its services unless they decline");
    assert_eq!((shop.functions["price"].concurrency, shop.functions["receipt"].concurrency), (16, 1));
    assert_eq!(shop.functions["receipt"].memory, Bytes::mb(128));
    assert_eq!(shop.buckets["cart"].ttl, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!((shop.buckets["cart"].replicas, shop.buckets["cart"].limit), (3, Bytes::mb(64)));
}

#[test]
fn everything_that_can_be_said_is_kept() {
    let rich = manifest(RICH);
    assert_eq!(rich.routes[0].to, Target::Static { dir: "public".to_owned() });
    assert!(rich.routes[0].fallthrough && rich.routes[1].strip && rich.routes[2].path.prefix);
    assert_eq!(rich.routes[1].body_max, Some(Bytes(10 << 20)));
    assert_eq!(rich.routes[1].timeout, Some(Duration::from_secs(90)));
    let [_, _, _, spa, api, old] = &rich.routes[..] else { panic!("six routes") };
    assert!(spa.spa && spa.cache_off && spa.cache.is_none());
    assert_eq!(spa.immutable, Some(Immutable::Pattern("assets/*".to_owned())));
    assert_eq!(api.asks(), "GET,POST /api/* cookie=* user-agent=curl* x-beta=1");
    assert!(api.https && api.takes_method("HEAD") && !api.takes_method("PUT"));
    assert_eq!(api.path_for_target("/api/x", 4).as_deref(), Some("/internal/x"));
    assert_eq!(
        api.rate_limit.as_ref().map(ToString::to_string).as_deref(),
        Some("10/s, burst 20, per header:x-api-key")
    );
    assert_eq!((api.in_flight_max, api.retries), (Some(100), Some(2)));
    assert_eq!(api.request_headers["X-Debug"], "");
    assert_eq!((api.cache, api.cache_off), (Some(Duration::from_secs(10)), false));
    assert_eq!(api.cache_key.as_ref().map(ToString::to_string).as_deref(), Some("query page, headers x-lang"));
    assert_eq!(api.balance, Some(Balance::Hash(HashBy::Cookie("sid".to_owned()))));
    assert_eq!(api.hedge, Some(Hedge::After(Duration::from_millis(50))));
    assert_eq!(old.to.to_string(), "308 https://new.example.org/*");
    assert_eq!(rich.services["web"].protocol, Protocol::H2c);
    assert_eq!(rich.services["web"].replicas, Replicas { min: 0, max: 9 });
    assert_eq!(rich.services["web"].idle, Duration::from_secs(300));
    assert_eq!(rich.services["jobs"].replicas, Replicas { min: 3, max: 3 });
    assert!(!rich.services["web"].database);
    let cache = &rich.buckets["cache"];
    assert_eq!((cache.durability(), cache.together), (Durability::Sync, true));
    assert_eq!((cache.ops_per_second, cache.connections), (Some(5000), Some(100)));
    let hello = &rich.functions["hello"];
    assert_eq!(hello.run, FunctionRun::Cgi { script: "hello.sh".to_owned() });
    assert_eq!((hello.concurrency, hello.instances_max, hello.memory), (2, 4, Bytes::mb(1000)));
    assert_eq!(rich.hosts, ["rich.example.org", "*.rich.example.org"]);
}

#[test]
fn a_manifest_survives_json() {
    for text in [SHOP, RICH, TEMPLATE] {
        let manifest = manifest(text);
        let json = serde_json::to_string(&manifest).expect("serialises");
        assert_eq!(serde_json::from_str::<Manifest>(&json).expect("deserialises"), manifest);
    }
}

#[test]
fn an_old_manifest_in_json_gets_todays_defaults() {
    let json = r#"{"name":"a","services":{"web":{"run":"./web"}},"functions":{"f":{"run":{"Lambda":{"command":"x"}}}},
        "buckets":{"b":{}},"routes":[{"path":{"path":"","prefix":true},"to":{"Service":"web"}}]}"#;
    let old: Manifest = serde_json::from_str(json).expect("deserialises");
    let today = manifest(
        "name = \"a\"\n[[route]]\npath = \"/*\"\nto = \"web\"\n[service.web]\nrun = \"./web\"\n[function.f]\nlambda = \"x\"\n[kv.b]",
    );
    assert_eq!(old, today);
}

#[test]
fn the_template_and_every_example_in_it_are_valid() {
    manifest(TEMPLATE);
    let is_example = |line: &str| line.strip_prefix('#').is_some_and(|rest| !rest.is_empty() && !rest.starts_with(' '));
    let uncommented: Vec<&str> =
        TEMPLATE.lines().map(|line| if is_example(line) { &line[1..] } else { line }).collect();
    let parsed = parse("template.toml", &uncommented.join("\n")).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(parsed.manifest.services["api"].env["LOG_LEVEL"], "info");
    let sessions = &parsed.manifest.buckets["sessions"];
    assert_eq!((sessions.replicas, sessions.durability()), (3, Durability::Batch));
    assert_eq!((sessions.ops_per_second, sessions.connections), (None, None), "0 is no limit");
}

#[test]
fn all_faults_are_reported_at_once() {
    check_faults(
        r#"name = "My Shop"
colour = "red"
[database]
engine = "oracle"
[[route]]
path = "api"
to = "static:../etc"
[[route]]
path = "/search/*"
to = "serch"
[service.search]
command = "./search"
replica = 3
[service.web]
run = "./web"
replicas = { min = 5, max = 2 }
health = 80
[function.price]
wasm = "/abs/price.wasm"
lambda = "./bootstrap"
memory = "128M"
[function.web]
cgi = "web.sh"
timeout = "soon"
[kv.cart]
consistency = "strict"
replicas = 5
[servce.api]
run = "x"
"#,
        expect![[r#"
            ringway.toml:1:8: `name`: `My Shop` cannot be a name
              |
            1 | name = "My Shop"
              |
              = help: write `my-shop`: a name is at most 40 of a-z, 0-9 and `-`, and starts with a letter

            ringway.toml:2:1: unknown key `colour`
              |
            2 | colour = "red"
              |
              = help: known keys: `name`, `compat`, `hosts`, `build`, `env`, `database`, `service`, `function`, `kv`, `route`

            ringway.toml:4:10: `engine` in [database]: `oracle` is not known
              |
            4 | engine = "oracle"
              |
              = help: it can be: `sqlite`

            ringway.toml:6:8: `path` in [[route]]: the path `api` does not start with `/`
              |
            6 | path = "api"
              |
              = help: write `/api`

            ringway.toml:7:6: `to` in [[route]]: the path `../etc` leads out of the app directory
              |
            7 | to = "static:../etc"
              |
              = help: only what is in the app directory is deployed: write it without `..`

            ringway.toml:10:6: `to` in [[route]]: no service or function is called `serch`
               |
            10 | to = "serch"
               |
               = help: did you mean `search`?

            ringway.toml:11:10: missing `run` in [service.search]
               |
            11 | [service.search]
               |
               = help: add `run = "./server --port $PORT"`

            ringway.toml:12:1: unknown key `command` in [service.search]
               |
            12 | command = "./search"
               |
               = help: did you mean `run`?

            ringway.toml:13:1: unknown key `replica` in [service.search]
               |
            13 | replica = 3
               |
               = help: did you mean `replicas`?

            ringway.toml:16:20: `min` is greater than `max` in `replicas` of [service.web]: 5 > 2
               |
            16 | replicas = { min = 5, max = 2 }
               |
               = help: write `{ min = 2, max = 5 }`, or one number

            ringway.toml:17:10: expected a path such as "/up" for `health` in [service.web], found the number 80
               |
            17 | health = 80

            ringway.toml:19:8: `wasm` in [function.price]: the path `/abs/price.wasm` is absolute
               |
            19 | wasm = "/abs/price.wasm"
               |
               = help: paths are relative to the app directory, and only what is in it is deployed

            ringway.toml:20:10: `lambda` in [function.price], which has `wasm` already
               |
            20 | lambda = "./bootstrap"
               |
               = help: a function runs one thing: keep one of them

            ringway.toml:21:10: `memory` in [function.price]: the size `128M` has an unknown unit
               |
            21 | memory = "128M"
               |
               = help: write `128MB` (powers of 1000) or `128MiB` (powers of 1024)

            ringway.toml:22:11: `web` is both a service and a function
               |
            22 | [function.web]
               |
               = help: rename one of them: routes and `http://NAME.internal/` know them by name only

            ringway.toml:24:11: `timeout` in [function.web]: `soon` is not a duration
               |
            24 | timeout = "soon"
               |
               = help: write it like `500ms`, `10s`, `1h30m` or `7d`

            ringway.toml:26:15: `consistency` in [kv.cart]: `strict` is not available yet; use `eventual`
               |
            26 | consistency = "strict"
               |
               = help: any replica accepts writes and they converge: a read may be a little old for a moment

            ringway.toml:27:12: `replicas` in [kv.cart]: 5 is not between 1 and 3
               |
            27 | replicas = 5

            ringway.toml:28:2: unknown section [servce]
               |
            28 | [servce.api]
               |
               = help: did you mean `service`?
        "#]],
    );
}

#[test]
fn a_syntax_error_is_told_like_any_fault() {
    for text in
        ["name = \"a", "name == 1", "[service.web\nrun = 1", "name = \"a\"\nname = \"b\"\n", "a = [1,\n2", "ünï = 1"]
    {
        let faults = parse("ringway.toml", text).expect_err(text);
        assert_eq!(faults.0.len(), 1, "{faults}");
        assert!(faults.0[0].line > 0, "{faults}");
    }
    check_faults(
        "name = \"shop\"\n\n[service.web]\nrun = ./web\n",
        expect![[r#"
            ringway.toml:4:7: not TOML: invalid mantissa, expected digits
              |
            4 | run = ./web
              |
              = help: text stands in quotes: `run = "./web"`
        "#]],
    );
}

#[test]
fn wrong_types_say_what_is_expected_and_what_was_found() {
    check_faults(
        r#"name = 7
hosts = "a.example"
env = { PORT = "80", "A B" = "x", N = 8080 }
route = [1, { path = 2, to = ["x"], strip = "yes" }]
kv = 3
[database]
[service]
run = "x"
[service.web]
run = ["./web"]
replicas = "many"
idle = 60
[function]
f = { wasm = "f.wasm", memory = 128, concurrency = 0, instances_max = 99999999999, timeout = "0s" }
"#,
        expect![[r#"
            ringway.toml:1:8: expected a string for `name`, found the number 7
              |
            1 | name = 7
              |
              = help: put it in quotes

            ringway.toml:2:9: expected an array of strings for `hosts`, found the string "a.example"
              |
            2 | hosts = "a.example"

            ringway.toml:3:9: `env.PORT`: every instance gets its own `PORT` from ringway
              |
            3 | env = { PORT = "80", "A B" = "x", N = 8080 }
              |
              = help: let the process listen on `$PORT`

            ringway.toml:3:22: `env.A B`: `A B` cannot be an environment variable
              |
            3 | env = { PORT = "80", "A B" = "x", N = 8080 }
              |
              = help: a name has no blanks and no `=`

            ringway.toml:3:39: expected a string for `env.N`, found the number 8080
              |
            3 | env = { PORT = "80", "A B" = "x", N = 8080 }
              |
              = help: put it in quotes

            ringway.toml:4:10: expected tables for `route`, found the number 1
              |
            4 | route = [1, { path = 2, to = ["x"], strip = "yes" }]

            ringway.toml:4:22: expected a path such as "/a/*" for `path` in [[route]], found the number 2
              |
            4 | route = [1, { path = 2, to = ["x"], strip = "yes" }]

            ringway.toml:4:30: expected a string such as "static:public" for `to` in [[route]], found an array
              |
            4 | route = [1, { path = 2, to = ["x"], strip = "yes" }]

            ringway.toml:4:45: expected true or false for `strip` in [[route]], found the string "yes"
              |
            4 | route = [1, { path = 2, to = ["x"], strip = "yes" }]

            ringway.toml:5:6: expected a table for `kv`, found the number 3
              |
            5 | kv = 3

            ringway.toml:6:2: missing `engine` in [database]
              |
            6 | [database]
              |
              = help: add `engine = "sqlite"`

            ringway.toml:8:1: `run` stands in [service], which has tables only
              |
            8 | run = "x"
              |
              = help: give it a name and put `run` below `[service.NAME]`

            ringway.toml:10:7: expected a command line in quotes for `run` in [service.web], found an array
               |
            10 | run = ["./web"]

            ringway.toml:11:12: expected a number or `{ min = 1, max = 4 }` for `replicas` in [service.web], found the string "many"
               |
            11 | replicas = "many"

            ringway.toml:12:8: expected a duration such as "10s" for `idle` in [service.web], found the number 60
               |
            12 | idle = 60

            ringway.toml:14:33: expected a size such as "64MB" for `memory` in [function.f], found the number 128
               |
            14 | f = { wasm = "f.wasm", memory = 128, concurrency = 0, instances_max = 99999999999, timeout = "0s" }

            ringway.toml:14:52: `concurrency` in [function.f]: 0 is not between 1 and 10000
               |
            14 | f = { wasm = "f.wasm", memory = 128, concurrency = 0, instances_max = 99999999999, timeout = "0s" }

            ringway.toml:14:71: `instances_max` in [function.f]: 99999999999 is not between 1 and 10000
               |
            14 | f = { wasm = "f.wasm", memory = 128, concurrency = 0, instances_max = 99999999999, timeout = "0s" }

            ringway.toml:14:94: `timeout` in [function.f]: it must be more than 0
               |
            14 | f = { wasm = "f.wasm", memory = 128, concurrency = 0, instances_max = 99999999999, timeout = "0s" }
        "#]],
    );
}

#[test]
fn routes_that_lead_nowhere_or_twice_are_refused() {
    check_faults(
        r#"name = "a"
hosts = ["https://Shop.Example.org/", "-x"]
[[route]]
path = "/a"
to = "web"
[[route]]
path = "/a"
to = "web"
fallthrough = true
[[route]]
path = "/b"
[[route]]
path = "/c"
to = "service:web"
[[route]]
path = "/d"
to = "sttic:public"
[[route]]
path = "/e"
to = "public"
headers = { Connection = "close", "a b" = "c", Ok = "line\nbreak" }
[service.web]
run = " "
database = true
health = "/up/*"
"#,
        expect![[r#"
            ringway.toml:2:10: `hosts`: `https://Shop.Example.org/` is not a host name
              |
            2 | hosts = ["https://Shop.Example.org/", "-x"]
              |
              = help: write `shop.example.org`: lower case, without scheme, port and path

            ringway.toml:2:39: `hosts`: `-x` is not a host name
              |
            2 | hosts = ["https://Shop.Example.org/", "-x"]
              |
              = help: write it like `shop.example.org` or `*.example.org`

            ringway.toml:7:8: the route `/a` is on line 4 already
              |
            7 | path = "/a"
              |
              = help: remove one, or tell them apart by `host`, `methods` or `match_headers`; only after a static route with `fallthrough = true` the same may come again

            ringway.toml:9:15: `fallthrough` on a route to `web`, which answers everything itself
              |
            9 | fallthrough = true
              |
              = help: only static routes can pass on what is not a file

            ringway.toml:10:1: missing `to` in [[route]]
               |
            10 | [[route]]
               |
               = help: add `to = "static:public"`

            ringway.toml:14:6: `to` in [[route]]: `service:web` leads to an unknown kind of target
               |
            14 | to = "service:web"
               |
               = help: services and functions go by their name alone: `web`

            ringway.toml:17:6: `to` in [[route]]: `sttic:public` leads to an unknown kind of target
               |
            17 | to = "sttic:public"
               |
               = help: did you mean `static:public`?

            ringway.toml:20:6: `to` in [[route]]: no service or function is called `public`
               |
            20 | to = "public"
               |
               = help: there are `web`; a directory of files is `static:public`

            ringway.toml:21:13: `headers.Connection` in [[route]]: `Connection` cannot be set: it belongs to the connection
               |
            21 | headers = { Connection = "close", "a b" = "c", Ok = "line\nbreak" }

            ringway.toml:21:35: `headers.a b` in [[route]]: `a b` is not a header name
               |
            21 | headers = { Connection = "close", "a b" = "c", Ok = "line\nbreak" }

            ringway.toml:21:48: `headers.Ok` in [[route]]: a header's value is printable ASCII on one line
               |
            21 | headers = { Connection = "close", "a b" = "c", Ok = "line\nbreak" }

            ringway.toml:23:7: `run` in [service.web]: the command is empty
               |
            23 | run = " "
               |
               = help: write the command line that starts it

            ringway.toml:24:12: `database = true` in [service.web], but the app has none
               |
            24 | database = true
               |
               = help: add `[database]` with `engine = "sqlite"`

            ringway.toml:25:10: `health` in [service.web]: `/up/*` is a pattern
               |
            25 | health = "/up/*"
               |
               = help: write the one path that is asked, like `/up`
        "#]],
    );
}

#[test]
fn what_a_route_asks_and_allows_is_refused_where_it_stands() {
    check_faults(
        r#"name = "a"
[[route]]
path = "/a"
to = "web"
methods = ["get", "POTS", "CONNECT"]
match_headers = { "X Y" = "1", X-Z = "a*b" }
https = "yes"
rewrite = "https://x.example/"
strip = true
[[route]]
path = "/b"
to = "web"
methods = []
strip = true
rewrite = "/c"
requests_per_second = 0
per = "ip"
in_flight_max = "many"
request_headers = { Host = "", Ringway-Forwarded = "x", Upgrade = "h2c" }
[[route]]
path = "/c"
to = "web"
burst = 5
per = "route"
cache = "of"
cache_key = { query = "page", headers = ["a b"], header = [] }
balance = "stiky"
retries = 6
hedge = "0s"
[[route]]
path = "/d"
to = "web"
redirect = "/e"
[[route]]
path = "/e"
redirect = "e"
status = 404
[[route]]
path = "/f"
to = "web"
status = 301
[[route]]
path = "/g"
to = "static:public"
immutable = 1
spa = "yes"
rate_limit = 3
[service.web]
run = "./web"
protocol = "http2"
"#,
        expect![[r#"
            ringway.toml:5:12: `methods` in [[route]]: `get` is no method that a route can be for
              |
            5 | methods = ["get", "POTS", "CONNECT"]
              |
              = help: write `GET`

            ringway.toml:5:19: `methods` in [[route]]: `POTS` is no method that a route can be for
              |
            5 | methods = ["get", "POTS", "CONNECT"]
              |
              = help: write `POST`

            ringway.toml:5:27: `methods` in [[route]]: `CONNECT` is no method that a route can be for
              |
            5 | methods = ["get", "POTS", "CONNECT"]
              |
              = help: it can be: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, QUERY, PURGE, PROPFIND, PROPPATCH, MKCOL, COPY, MOVE, LOCK, UNLOCK

            ringway.toml:6:19: `match_headers.X Y` in [[route]]: `X Y` is not a header name
              |
            6 | match_headers = { "X Y" = "1", X-Z = "a*b" }

            ringway.toml:6:32: `match_headers.X-Z` in [[route]]: `*` may only stand at the end, not as in `a*b`
              |
            6 | match_headers = { "X Y" = "1", X-Z = "a*b" }
              |
              = help: write the whole value, its beginning as in `abc*`, or `*` for any value

            ringway.toml:7:9: expected true or false for `https` in [[route]], found the string "yes"
              |
            7 | https = "yes"

            ringway.toml:8:11: `rewrite` in [[route]]: `https://x.example/` is not a path
              |
            8 | rewrite = "https://x.example/"
              |
              = help: write it like `/new` or `/new/*`

            ringway.toml:13:11: `methods` in [[route]] is empty: no request would get here
               |
            13 | methods = []
               |
               = help: leave it out for any method

            ringway.toml:15:11: both `strip` and `rewrite` in [[route]]
               |
            15 | rewrite = "/c"
               |
               = help: `rewrite = "/*"` is what `strip` does: keep one of them

            ringway.toml:16:23: `requests_per_second` in [[route]]: 0 is not between 1 and 10000000
               |
            16 | requests_per_second = 0

            ringway.toml:17:7: `per` in [[route]]: `ip` is not known
               |
            17 | per = "ip"
               |
               = help: it can be: `client`, `route`, `header:X-Api-Key`

            ringway.toml:18:17: expected a whole number for `in_flight_max` in [[route]], found the string "many"
               |
            18 | in_flight_max = "many"

            ringway.toml:19:21: `request_headers.Host` in [[route]]: a request without `Host` is none
               |
            19 | request_headers = { Host = "", Ringway-Forwarded = "x", Upgrade = "h2c" }
               |
               = help: give it a value, or leave it out

            ringway.toml:19:32: `request_headers.Ringway-Forwarded` in [[route]]: `Ringway-Forwarded` is what nodes tell each other
               |
            19 | request_headers = { Host = "", Ringway-Forwarded = "x", Upgrade = "h2c" }

            ringway.toml:19:57: `request_headers.Upgrade` in [[route]]: `Upgrade` cannot be set: it belongs to the connection
               |
            19 | request_headers = { Host = "", Ringway-Forwarded = "x", Upgrade = "h2c" }

            ringway.toml:23:9: `burst` in [[route]] without `requests_per_second`
               |
            23 | burst = 5
               |
               = help: add `requests_per_second = 10`

            ringway.toml:24:7: `per` in [[route]] without `requests_per_second`
               |
            24 | per = "route"
               |
               = help: add `requests_per_second = 10`

            ringway.toml:25:9: `cache` in [[route]]: `of` is not a duration
               |
            25 | cache = "of"
               |
               = help: write it like `500ms`, `10s`, `1h30m` or `7d`

            ringway.toml:26:23: `query` in `cache_key` of [[route]]: `page` is neither `none` nor `all`
               |
            26 | cache_key = { query = "page", headers = ["a b"], header = [] }
               |
               = help: names of parameters stand in an array: `query = ["page"]`

            ringway.toml:26:42: `headers` in `cache_key` of [[route]]: `a b` is not a header name
               |
            26 | cache_key = { query = "page", headers = ["a b"], header = [] }

            ringway.toml:26:50: unknown key `header` in `cache_key` of [[route]]
               |
            26 | cache_key = { query = "page", headers = ["a b"], header = [] }
               |
               = help: did you mean `headers`?

            ringway.toml:27:11: `balance` in [[route]]: `stiky` is not known
               |
            27 | balance = "stiky"
               |
               = help: did you mean `sticky`?

            ringway.toml:28:11: `retries` in [[route]]: 6 is not between 0 and 5
               |
            28 | retries = 6

            ringway.toml:29:9: `hedge` in [[route]]: it must be more than 0
               |
            29 | hedge = "0s"
               |
               = help: every request would be sent twice

            ringway.toml:33:12: both `to` and `redirect` in [[route]]
               |
            33 | redirect = "/e"
               |
               = help: a route leads to one thing: keep one of them

            ringway.toml:36:12: `redirect` in [[route]]: `e` is neither a path nor an address
               |
            36 | redirect = "e"
               |
               = help: write it like `/new/*` or `https://shop.example.org/*`

            ringway.toml:37:10: `status` in [[route]]: 404 is no redirect
               |
            37 | status = 404
               |
               = help: 301 and 308 are for good (308 keeps the method), 302 and 307 for now (307 keeps it), 303 makes it GET

            ringway.toml:41:10: `status` in [[route]], which is no redirect
               |
            41 | status = 301
               |
               = help: it goes with `redirect = "/new/*"`

            ringway.toml:45:13: expected true or a pattern such as "assets/*" for `immutable` in [[route]], found the number 1
               |
            45 | immutable = 1

            ringway.toml:46:7: expected true or false for `spa` in [[route]], found the string "yes"
               |
            46 | spa = "yes"

            ringway.toml:47:1: unknown key `rate_limit` in [[route]]
               |
            47 | rate_limit = 3
               |
               = help: did you mean `requests_per_second`?

            ringway.toml:50:12: `protocol` in [service.web]: `http2` is not known
               |
            50 | protocol = "http2"
               |
               = help: did you mean `h2c`?
        "#]],
    );
}

#[test]
fn routes_are_told_apart_by_what_they_ask() {
    let route = |more: &str| format!("[[route]]\npath = \"/a\"\nto = \"web\"\n{more}\n");
    let text = |routes: &[&str]| {
        let routes: String = routes.iter().map(|more| route(more)).collect();
        format!("name = \"a\"\n{routes}[service.web]\nrun = \"./web\"\n")
    };
    let apart = [
        "",
        "methods = [\"GET\"]",
        "methods = [\"POST\"]",
        "match_headers = { X-A = \"1\" }",
        "host = \"a.localhost\"",
    ];
    assert_eq!(manifest(&text(&apart)).routes.len(), 5);
    let same = ["methods = [\"GET\", \"POST\"]", "methods = [\"POST\", \"GET\"]"];
    assert!(parse("f", &text(&same)).is_err(), "the order of methods makes no other route");
    let same = ["match_headers = { X-A = \"1\" }", "match_headers = { x-a = \"1\" }"];
    assert!(parse("f", &text(&same)).is_err(), "nor does the case of a header's name");
}

#[test]
fn what_has_no_effect_on_a_target_is_warned_of() {
    check_warnings(
        r#"name = "a"
[[route]]
path = "/"
to = "static:public"
balance = "sticky"
request_headers = { X-A = "1" }
retries = 0
strip = false
[[route]]
path = "/a/*"
to = "f"
immutable = true
hedge = true
[[route]]
path = "/b"
redirect = "/b/*"
cache = "1h"
[[route]]
path = "/c/*"
redirect = "/c/new/*"
[[route]]
path = "/d/*"
redirect = "/e"
[function.f]
wasm = "f.wasm"
"#,
        expect![[r#"
            ringway.toml:5:11: `balance` has no effect on a route to `static:public`
              |
            5 | balance = "sticky"
              |
              = help: only a service's instances are balanced by Ringway's front end

            ringway.toml:6:19: `request_headers` has no effect on a route to `static:public`
              |
            6 | request_headers = { X-A = "1" }
              |
              = help: nobody sees the request; `headers` are set on the answer

            ringway.toml:7:11: `retries` has no effect on a route to `static:public`
              |
            7 | retries = 0
              |
              = help: only requests to a service are sent again

            ringway.toml:12:13: `immutable` has no effect on a route to `f`
               |
            12 | immutable = true
               |
               = help: let the answer say it: `Cache-Control: max-age=31536000, immutable`

            ringway.toml:13:9: `hedge` has no effect on a route to `f`
               |
            13 | hedge = true
               |
               = help: only requests to a service are sent twice

            ringway.toml:16:12: the `*` of `/b/*` is always empty: `/b` is for that path alone
               |
            16 | redirect = "/b/*"
               |
               = help: write `path = "/b/*"`

            ringway.toml:16:12: `redirect` in [[route]]: `/b/*` leads to this route again
               |
            16 | redirect = "/b/*"
               |
               = help: browsers give up after some rounds: let it lead to another route

            ringway.toml:17:9: `cache` has no effect on a redirect
               |
            17 | cache = "1h"
               |
               = help: browsers keep 301 and 308 by themselves; say more with `headers`

            ringway.toml:20:12: `redirect` in [[route]]: `/c/new/*` leads to this route again
               |
            20 | redirect = "/c/new/*"
               |
               = help: browsers give up after some rounds: let it lead to another route
        "#]],
    );
}

#[test]
fn a_bucket_says_what_is_wrong_with_it_where_it_stands() {
    check_faults(
        r#"name = "a"
[[route]]
path = "/"
to = "static:public"
[kv.cart]
durability = "sync"
together = "yes"
ops_per_second = -1
limit = "1kB"
[kv.log]
storage = "disk"
durability = "synch"
"#,
        expect![[r#"
            ringway.toml:6:14: `durability` in [kv.cart]: `sync` is for `storage = "disk"`: this bucket is in memory
              |
            6 | durability = "sync"
              |
              = help: add `storage = "disk"`, or leave `durability` out: its copies on other nodes are what survives

            ringway.toml:7:12: expected true or false for `together` in [kv.cart], found the string "yes"
              |
            7 | together = "yes"

            ringway.toml:8:18: `ops_per_second` in [kv.cart]: -1 is not between 0 and 1000000000
              |
            8 | ops_per_second = -1

            ringway.toml:9:9: `limit` in [kv.cart]: 1kB is too little to hold anything: at least 1MiB
              |
            9 | limit = "1kB"

            ringway.toml:12:14: `durability` in [kv.log]: `synch` is not known
               |
            12 | durability = "synch"
               |
               = help: did you mean `sync`?
        "#]],
    );
}

#[test]
fn what_has_no_effect_is_warned_of() {
    check_warnings(
        r#"name = "a"
[[route]]
path = "/docs"
to = "static:docs"
strip = true
[[route]]
path = "/*"
to = "web"
[service.web]
run = "./web"
idle = "5m"
"#,
        expect![[r#"
            ringway.toml:3:8: the route `/docs` to a directory is for that path alone
              |
            3 | path = "/docs"
              |
              = help: write `/docs/*` for everything in it

            ringway.toml:5:9: `strip` has no effect on a route to `static:docs`
              |
            5 | strip = true
              |
              = help: files and scripts are mounted at the route's path anyway

            ringway.toml:11:8: `idle` in [service.web] has no effect: there is always at least one instance
               |
            11 | idle = "5m"
               |
               = help: set `replicas = { min = 0, max = … }` to let the last one go
        "#]],
    );
    check_warnings(
        "name = \"a\"",
        expect![[r#"
            ringway.toml: there is no route: nothing of the app can be reached from outside
              = help: add a `[[route]]` with `path` and `to`, unless only the app's own processes matter
        "#]],
    );
}

#[test]
fn a_route_with_fallthrough_may_share_its_path_with_the_next() {
    let text = "name = \"a\"\nroute = [{ path = \"/*\", to = \"static:a\", fallthrough = true }, { path = \"/\", to = \"static:b\" }]";
    assert_eq!(manifest(text).routes.len(), 2);
}

#[test]
fn hostile_texts_are_refused_without_harm() {
    assert!(parse("f", &"[".repeat(200_000)).is_err());
    assert!(parse("f", &"a={".repeat(50_000)).is_err());
    assert!(parse("f", &"a.".repeat(100_000)).is_err());
    let faults = parse("f", &format!("name = \"{}\"", "a".repeat(TEXT_LEN_MAX))).expect_err("too long");
    assert_eq!(faults.to_string(), "f: longer than 262144 bytes");
    let faults = parse("f", &format!("name = \"{}\"", "é".repeat(10_000))).expect_err("a long name");
    assert!(faults.to_string().len() < 4_000, "{faults}");
    let faults = parse("f", "\"\\u001b[31m\" = 1\nname = \"a\"").expect_err("unknown key");
    assert!(!faults.to_string().contains('\u{1b}'), "no control character of a manifest reaches a terminal");
}

/// Manifest-like lines, so that the walk is reached more often than by plain noise.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "hosts",
        "env",
        "route",
        "service",
        "function",
        "kv",
        "database",
        "path",
        "to",
        "run",
        "replicas",
        "wasm",
        "cgi",
        "ttl",
        "limit",
        "headers",
        "x-a",
        "service.web",
        "function.f.env",
        "kv.a",
        "engine",
        "cache",
        "cache_key",
        "redirect",
        "methods",
        "match_headers",
        "immutable",
        "hedge",
        "balance",
        "é",
    ]);
    let value = prop::sample::select(vec![
        "\"a\"",
        "\"/\"",
        "\"static:.\"",
        "\"web\"",
        "\"1s\"",
        "\"1MB\"",
        "3",
        "-1",
        "true",
        "1.5",
        "[]",
        "[\"a\", 1]",
        "{}",
        "{ a = \"b\" }",
        "{ min = 3, max = 1 }",
        "[{ path = \"/é\", to = \"\" }]",
        "1979-05-27",
        "\"\\u0000\"",
        "'''\n'''",
    ]);
    (key, value, 0..4u8).prop_map(|(key, value, shape)| match shape {
        0 => format!("[{key}]\n"),
        1 => format!("[[{key}]]\n"),
        _ => format!("{key} = {value}\n"),
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "(?s).{0,200}") {
        if let Err(faults) = parse("f", &text) {
            prop_assert!(!faults.0.is_empty());
            let _ = faults.to_string();
        }
    }

    #[test]
    fn anything_like_a_manifest_is_read_or_refused_without_a_panic(lines in prop::collection::vec(line(), 0..12)) {
        match parse("f", &format!("name = \"a\"\n{}", lines.concat())) {
            Ok(parsed) => {
                let json = serde_json::to_string(&parsed.manifest).expect("serialises");
                prop_assert_eq!(serde_json::from_str::<Manifest>(&json).expect("deserialises"), parsed.manifest);
            }
            Err(faults) => prop_assert!(!faults.0.is_empty() && faults.0.iter().all(|fault| !fault.message.is_empty())),
        }
    }

    #[test]
    fn a_manifest_with_a_slip_is_read_or_refused_without_a_panic(
        at in any::<prop::sample::Index>(),
        len in 0..4usize,
        slip in "[a-z0-9\"'\\[\\]{}=.,/*: \n\u{e9}\u{1b}-]{0,3}",
    ) {
        let at = at.index(RICH.len());
        let text = format!("{}{slip}{}", &RICH[..at], &RICH[(at + len).min(RICH.len())..]);
        if let Err(faults) = parse("f", &text) {
            prop_assert!(!faults.0.is_empty());
            let text = faults.to_string();
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", text);
        }
    }
}

#[test]
fn a_route_for_a_host_that_the_app_has_not_is_warned_of() {
    let warnings = |host: &str| {
        let text = format!(
            "name = \"a\"\nhosts = [\"a.test\", \"*.b.test\"]\n[[route]]\npath = \"/*\"\nto = \"static:p\"\nhost = \"{host}\"\n"
        );
        let parsed = parse("ringway.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
        parsed.warnings.iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    for host in ["a.test", "x.b.test", "*.b.test", "*.x.b.test", "*.test", "a.localhost", "localhost"] {
        assert!(warnings(host).is_empty(), "{host}: {:?}", warnings(host));
    }
    for host in ["edge.test", "b.test", "*.a.test", "b.localhost"] {
        let wanted = format!("no request gets here: host `{host}` is not among the app's `hosts`");
        assert_eq!(warnings(host), [wanted]);
    }
}
