//! The admin API over a real listener, with stand-ins for everything behind it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/stand_ins.rs"]
mod stand_ins;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use ringway_catalog::Command;
use ringway_control::Control;
use ringway_control::api::*;
use ringway_ports::{CacheEntry, CacheStats, InstanceState, InstanceView, LogLine, LogStream, Purge, Reach as Reached};
use serde::de::DeserializeOwned;
use stand_ins::{Node, TOKEN, World, node_id};

const MANIFEST: &str = r#"name = "shop"

[[route]]
path = "/"
to = "static:public"

[service.web]
run = "python3 web.py"
replicas = { min = 2, max = 4 }

[kv.cart]
"#;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn failure(&self) -> Failure {
        self.json()
    }
}

/// One node that listens, and those that stand behind it.
struct Bench {
    address: SocketAddr,
    nodes: Vec<Node>,
    controls: Vec<Arc<Control>>,
}

impl Bench {
    fn new(names: &[&str]) -> Bench {
        let world = World::new();
        let mut nodes = Vec::new();
        for (name, n) in names.iter().zip(1..) {
            nodes.push(world.add_node(n, name));
            world.settle();
        }
        let controls: Vec<Arc<Control>> = nodes.iter().map(Node::control).collect();
        let listener =
            ringway_rt::net::listen("the admin API", "127.0.0.1:0".parse().unwrap(), "--admin", false).unwrap();
        let address = controls[0].serve(listener).unwrap();
        Bench { address, nodes, controls }
    }

    fn world(&self) -> &World {
        &self.nodes[0].world
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.open(request).await;
        let (parts, body) = response.into_parts();
        Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    async fn open(&self, request: Request<Full<Bytes>>) -> http::Response<hyper::body::Incoming> {
        let stream = TokioIo::new(tokio::net::TcpStream::connect(self.address).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header("host", self.address.to_string())
    }

    async fn call(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        let request = self.request(method, path).header("authorization", format!("Bearer {TOKEN}"));
        self.send(request.body(Full::new(body.into())).unwrap()).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.call("GET", path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    zstd::encode_all(&builder.into_inner().unwrap()[..], 1).unwrap()
}

fn shop() -> Vec<u8> {
    tar(&[("ringway.toml", MANIFEST), ("public/index.html", "hi"), ("web.py", "")])
}

fn instance(release: u64, nth: u32, state: InstanceState, note: &str) -> InstanceView {
    InstanceView {
        app: "shop".to_owned(),
        release,
        unit: "web".to_owned(),
        kind: "service".to_owned(),
        id: format!("shop/web#{nth}"),
        state,
        pid: Some(100 + nth),
        port: Some(40_000),
        in_flight: 0,
        requests: 7,
        restarts: 0,
        started_ms: 1,
        note: note.to_owned(),
    }
}

fn log_line(at_ms: u64, text: &str) -> LogLine {
    LogLine {
        at_ms,
        app: "shop".to_owned(),
        unit: "web".to_owned(),
        instance: "shop/web#1".to_owned(),
        stream: LogStream::Out,
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn health_is_for_everybody_and_the_rest_for_the_token() {
    let bench = Bench::new(&["otter"]);
    let health = bench.send(bench.request("GET", "/v1/health").body(Full::default()).unwrap()).await;
    assert_eq!((health.status, health.json::<ServerHealth>().status.as_str()), (StatusCode::OK, "ok"));
    for (method, path) in
        [("GET", "/v1/status"), ("POST", "/v1/deploy"), ("DELETE", "/v1/apps/shop"), ("GET", "/v1/nothing")]
    {
        let answer = bench.send(bench.request(method, path).body(Full::default()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        let wrong = bench.request(method, path).header("authorization", "Bearer wrong").body(Full::default()).unwrap();
        assert_eq!(bench.send(wrong).await.status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_and_rebound_names_are_kept_out_even_with_the_token() {
    let bench = Bench::new(&["otter"]);
    let with = |name: &str, value: &str| {
        let request =
            Request::builder().method("POST").uri("/v1/tokens").header("authorization", format!("Bearer {TOKEN}"));
        let request = if name == "host" { request } else { request.header("host", bench.address.to_string()) };
        request.header(name, value).body(Full::new(Bytes::from("{}"))).unwrap()
    };
    assert_eq!(bench.send(with("origin", "http://evil.example")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(bench.send(with("host", "evil.example")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(bench.send(with("origin", &format!("http://{}", bench.address))).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_unknown_path_is_answered_with_what_there_is_and_a_wrong_method_with_the_right_ones() {
    let bench = Bench::new(&["otter"]);
    let answer = bench.call("GET", "/v1/statsu", "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.failure().help.unwrap().contains("GET /v1/status"));
    let answer = bench.call("PATCH", "/v1/buckets", "").await;
    assert_eq!(
        (answer.status, &answer.headers["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, POST".parse().unwrap())
    );
}

#[tokio::test]
async fn the_console_and_on_loopback_the_metrics_need_no_token() {
    let bench = Bench::new(&["otter"]);
    let open = |path: &str| bench.send(bench.request("GET", path).body(Full::default()).unwrap());
    let page = open("/").await;
    assert_eq!(
        (page.status, &page.headers["content-type"]),
        (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap())
    );
    let again = bench.request("GET", "/").header("if-none-match", &page.headers["etag"]).body(Full::default()).unwrap();
    assert_eq!(bench.send(again).await.status, StatusCode::NOT_MODIFIED);
    let metrics = open("/metrics").await;
    assert_eq!((metrics.status, &metrics.body[..]), (StatusCode::OK, &b"ringway_test_total 1\n"[..]));
}

#[tokio::test]
async fn an_app_is_planned_deployed_watched_changed_and_rolled_back() {
    let bench = Bench::new(&["otter", "heron"]);
    let plan: Plan = bench.call("POST", "/v1/plan", shop()).await.json();
    assert_eq!((plan.app.as_str(), plan.current), ("shop", None));
    assert!(plan.changes.iter().any(|change| change.what == "service web"), "{:?}", plan.changes);
    assert!(bench.get::<Vec<AppView>>("/v1/apps").await.is_empty(), "a plan changes nothing");

    let deployed = bench.call("POST", "/v1/deploy", shop()).await;
    assert_eq!(deployed.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&deployed.body));
    let deployed: Deployed = deployed.json();
    assert_eq!((deployed.release, deployed.urls[0].as_str()), (1, "http://localhost:8081/"));
    let catalog = bench.world().catalog.lock().unwrap().clone();
    assert_eq!(catalog.buckets["shop.cart"].token.reveal().len(), 32);
    assert_eq!(bench.world().blobs.lock().unwrap()[&catalog.apps["shop"].releases[0].files], shop());
    assert_eq!(std::fs::read_dir(bench.world().dir.join("uploads")).unwrap().count(), 0, "uploads are cleared away");

    let same: Plan = bench.call("POST", "/v1/plan", shop()).await.json();
    assert!(same.changes.is_empty() && !same.files_changed && same.current == Some(1));

    *bench.nodes[0].instances.lock().unwrap() = vec![instance(1, 1, InstanceState::Warm, "")];
    *bench.nodes[1].instances.lock().unwrap() = vec![instance(1, 2, InstanceState::BackingOff, "exited with status 1")];
    let health: Health = bench.get("/v1/deploys/shop/1").await;
    assert!(!health.ready && health.is_current);
    assert_eq!((health.units[0].wanted, health.units[0].healthy), (2, 1));
    assert_eq!(health.units[0].notes, ["shop/web#2 on heron: exited with status 1"]);
    *bench.nodes[1].instances.lock().unwrap() = vec![instance(1, 2, InstanceState::Busy, "")];
    assert!(bench.get::<Health>("/v1/deploys/shop/1").await.ready);

    let changed = tar(&[("ringway.toml", &MANIFEST.replace("min = 2", "min = 3")), ("public/index.html", "hi")]);
    let second: Deployed = bench.call("POST", "/v1/deploy", changed).await.json();
    assert_eq!(second.release, 2);
    assert_eq!(second.changes.len(), 1, "{:?}", second.changes);
    let back: RolledBack = bench.call("POST", "/v1/rollback", r#"{"app":"shop"}"#).await.json();
    assert_eq!(back.release, 1);
    let answer = bench.call("POST", "/v1/rollback", r#"{"app":"shop","to":9}"#).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);

    assert_eq!(bench.call("DELETE", "/v1/apps/shop", "").await.status, StatusCode::OK);
    assert_eq!(bench.call("DELETE", "/v1/apps/shop", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_directory_without_a_manifest_takes_its_name_from_the_header() {
    let bench = Bench::new(&["otter"]);
    let request = bench
        .request("POST", "/v1/deploy")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header(NAME_HEADER, "Blog");
    let answer = bench.send(request.body(Full::new(tar(&[("public/index.html", "hi")]).into())).unwrap()).await;
    assert_eq!(answer.json::<Deployed>().app, "blog");
}

#[tokio::test]
async fn faults_come_all_at_once_with_file_line_and_help() {
    let bench = Bench::new(&["otter"]);
    let broken = MANIFEST.replace("replicas", "replcas").replace("\"/\"", "\"shop\"");
    let answer = bench.call("POST", "/v1/deploy", tar(&[("ringway.toml", &broken), ("public/index.html", "hi")])).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let failure = answer.failure();
    assert_eq!(failure.faults.len(), 2, "{failure:?}");
    let slip = failure.faults.iter().find(|fault| fault.fault.line == 9).expect("the slip has its line");
    assert!(
        slip.fault.help.as_ref().unwrap().contains("replicas") && slip.text.contains("ringway.toml:9:"),
        "{slip:?}"
    );
    assert!(bench.world().blobs.lock().unwrap().is_empty(), "nothing of it was kept");
}

#[tokio::test]
async fn what_is_no_package_is_a_bad_request() {
    let bench = Bench::new(&["otter"]);
    for body in [&b""[..], b"not a tar"] {
        let answer = bench.call("POST", "/v1/deploy", Bytes::from_static(body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.failure().error.contains("zstd"), "{:?}", answer.failure());
    }
}

#[tokio::test]
async fn a_bucket_is_made_used_listed_and_taken_away() {
    let bench = Bench::new(&["otter", "heron"]);
    let made = bench.call("POST", "/v1/buckets", r#"{"name":"notes","replicas":2,"ttl_ms":60000}"#).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made: CreatedBucket = made.json();
    assert_eq!(made.url.unwrap(), format!("redis://notes:{}@127.0.0.1:6380", made.token));

    let key = "/v1/kv/notes/a%2Fb%20%C3%BC%FF";
    assert_eq!(bench.call("GET", key, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bench.call("PUT", &format!("{key}?ttl_ms=5000"), "value").await.status, StatusCode::OK);
    assert_eq!(&bench.call("GET", key, "").await.body[..], b"value");
    assert_eq!(bench.call("PUT", "/v1/kv/notes/plain", "x").await.status, StatusCode::OK);
    let page: KvKeys = bench.get("/v1/kv/notes?count=1").await;
    assert_ne!(page.cursor, 0);
    let rest: KvKeys = bench.get(&format!("/v1/kv/notes?count=9&cursor={}", page.cursor)).await;
    let texts: Vec<Option<String>> = page.keys.into_iter().chain(rest.keys).map(|key| key.utf8).collect();
    assert_eq!((texts, rest.cursor), (vec![None, Some("plain".to_owned())], 0));

    let view: BucketView = bench.get("/v1/buckets/notes").await;
    assert_eq!((view.keys_held, view.replicas, view.ttl_ms), (4, 2, Some(60_000)), "two nodes, two keys each");
    assert!(view.url.is_some() && bench.get::<Vec<BucketView>>("/v1/buckets").await[0].url.is_none());

    assert_eq!(bench.call("DELETE", key, "").await.status, StatusCode::OK);
    assert_eq!(bench.call("DELETE", key, "").await.json::<serde_json::Value>()["done"], false);
    assert_eq!(bench.call("POST", "/v1/buckets", r#"{"name":"notes"}"#).await.status, StatusCode::CONFLICT);
    assert_eq!(bench.call("DELETE", "/v1/buckets/notes", "").await.status, StatusCode::OK);
    assert_eq!(bench.call("GET", key, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn settings_of_a_bucket_change_and_what_is_fixed_stays() {
    let bench = Bench::new(&["otter"]);
    bench.call("POST", "/v1/buckets", r#"{"name":"notes","connections":0}"#).await;
    let change = |body: &'static str| bench.call("PUT", "/v1/buckets/notes", body);
    let answer = change(r#"{"limit":128000000,"ops_per_second":500,"connections":20}"#).await;
    let view: BucketView = answer.json();
    assert_eq!((view.limit_bytes, view.ops_per_second, view.connections), (128_000_000, Some(500), Some(20)));
    let view: BucketView = bench.get("/v1/buckets/notes").await;
    assert_eq!((view.limit_bytes, view.ops_per_second, view.replicas), (128_000_000, Some(500), 3));
    let answer = change(r#"{"ops_per_second":0}"#).await;
    assert_eq!(answer.json::<BucketView>().ops_per_second, None);
    for (body, status, reason) in [
        ("{}", StatusCode::BAD_REQUEST, "nothing is to be changed: there is replicas"),
        (r#"{"storage":"Disk"}"#, StatusCode::CONFLICT, "its storage cannot change from memory to disk"),
        (r#"{"durability":"Sync"}"#, StatusCode::CONFLICT, "`sync` is for `storage"),
        (r#"{"replicas":0}"#, StatusCode::CONFLICT, "0 is not between 1 and 3"),
    ] {
        let answer = change(body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.failure().error.contains(reason), "{body}: {:?}", answer.failure());
    }
    let answer = bench.call("PUT", "/v1/buckets/gone", r#"{"replicas":1}"#).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_bucket_is_told_in_words_and_figures_of_every_node() {
    let bench = Bench::new(&["otter", "heron", "crane"]);
    bench.call("POST", "/v1/buckets", r#"{"name":"notes","replicas":2}"#).await;
    for node in &bench.nodes {
        let mut stats = node.stats.lock().unwrap();
        (stats.hits, stats.misses, stats.keys_primary) = (30, 10, Some(7));
    }
    let info: BucketInfo = bench.get("/v1/buckets/notes/info").await;
    assert_eq!((info.keys, info.hit_ratio), (Some(21), Some(0.75)));
    assert!(info.words.is_well, "{:?}", info.words);
    let names: Vec<&str> = info.nodes.iter().map(|node| node.node.name.as_str()).collect();
    assert_eq!(names, ["crane", "heron", "otter"]);
    assert_eq!(info.nodes.iter().map(|node| node.share.held).sum::<usize>(), 2 * 4096);

    bench.world().set_reach(3, Reached::Down);
    let info: BucketInfo = bench.get("/v1/buckets/notes/info").await;
    assert!(!info.words.is_well && info.nodes[0].stats.is_none());
    assert!(info.words.now[0].contains("fewer copies than they should (crane is down)"), "{:?}", info.words);
    assert_eq!(info.keys, Some(14), "the others answer for all");
    assert_eq!(bench.call("GET", "/v1/buckets/gone/info", "").await.status, StatusCode::NOT_FOUND);

    bench.call("POST", "/v1/buckets", r#"{"name":"queue","together":true,"replicas":1}"#).await;
    let info: BucketInfo = bench.get("/v1/buckets/queue/info").await;
    assert_eq!(info.nodes.iter().map(|node| node.share.held).sum::<usize>(), 1, "one partition, one copy");
}

#[tokio::test]
async fn a_bucket_goes_out_and_comes_in_again_as_lines() {
    let bench = Bench::new(&["otter"]);
    bench.call("POST", "/v1/buckets", r#"{"name":"from"}"#).await;
    bench.call("POST", "/v1/buckets", r#"{"name":"to"}"#).await;
    for key in ["a", "b%FF", "c"] {
        bench.call("PUT", &format!("/v1/kv/from/{key}"), key).await;
    }
    let set = br#"{"key":"set","type":"set","value":["x","y"]}"#;
    assert_eq!(bench.call("POST", "/v1/buckets/from/import", &set[..]).await.json::<KvImported>().written, 1);

    let exported = bench.call("GET", "/v1/buckets/from/export", "").await;
    let text = String::from_utf8(exported.body.to_vec()).unwrap();
    let lines: Vec<KvLine> = text.lines().map(|line| KvLine::parse(line.as_bytes()).unwrap()).collect();
    assert!(matches!(lines[0], KvLine::Head(_)) && lines[3] == KvLine::Page { cursor: 2, keys: 2 }, "{text}");
    assert_eq!(lines[6], KvLine::Done { done: true, keys: 4 }, "{text}");
    let rest = bench.call("GET", "/v1/buckets/from/export?cursor=2", "").await;
    let rest = String::from_utf8(rest.body.to_vec()).unwrap();
    assert_eq!(rest.lines().count(), 3, "two keys and the end: {rest}");

    for written in [4, 4] {
        let imported: KvImported = bench.call("POST", "/v1/buckets/to/import", text.clone()).await.json();
        assert_eq!((imported.records, imported.written), (4, written));
    }
    let kept: KvImported = bench.call("POST", "/v1/buckets/to/import?existing=keep", text).await.json();
    assert_eq!((kept.records, kept.written), (4, 0));
    assert_eq!(&bench.call("GET", "/v1/kv/to/b%FF", "").await.body[..], b"b%FF");
    let record = bench.call("GET", "/v1/kv/to/set?as=lines", "").await;
    assert_eq!(record.body.trim_ascii(), set);
    let answer = bench.call("POST", "/v1/buckets/to/import", "{\"key\":\n").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.failure().error.starts_with("line 1: not a line of an export"), "{:?}", answer.failure());
}

#[tokio::test]
async fn hot_and_big_keys_of_all_nodes_are_one_list() {
    let bench = Bench::new(&["otter", "heron"]);
    bench.call("POST", "/v1/buckets", r#"{"name":"notes"}"#).await;
    bench.call("PUT", "/v1/kv/notes/small", "x").await;
    bench.call("PUT", "/v1/kv/notes/large", "xxxxx").await;
    let top: KvTopView = bench.get("/v1/buckets/notes/top?count=5").await;
    let text = |key: &KvKey| key.utf8.clone().unwrap();
    assert_eq!(top.hot.iter().map(|hot| text(&hot.key)).collect::<Vec<_>>(), ["hot2", "hot1"]);
    let big: Vec<(String, u64)> = top.big.iter().map(|big| (text(&big.key), big.bytes)).collect();
    assert_eq!(big, [("large".to_owned(), 5), ("small".to_owned(), 1)], "copies count once");
    bench.world().set_reach(2, Reached::Down);
    let top: KvTopView = bench.get("/v1/buckets/notes/top").await;
    assert_eq!((top.hot.len(), top.missing.len()), (1, 1));
}

#[tokio::test]
async fn the_cache_of_all_nodes_is_summed_up_listed_and_made_to_forget() {
    let bench = Bench::new(&["otter", "heron"]);
    for (node, hits) in bench.nodes.iter().zip([6, 1]) {
        let stats = CacheStats { hits, misses: 1, saved: Duration::from_millis(1500), ..CacheStats::default() };
        let entry = |url: &str, uses| CacheEntry {
            url: url.to_owned(),
            app: "shop".to_owned(),
            status: 200,
            bytes: 900,
            age: Duration::from_secs(2),
            fresh_for_seconds: 58,
            uses,
            tags: vec!["red".to_owned()],
            vary: vec![],
            owner: Some(node_id(2)),
        };
        *node.cache.lock().unwrap() = (stats, vec![entry("http://shop.test/a", hits), entry("http://shop.test/b", 3)]);
    }
    let view: CacheView = bench.get("/v1/cache").await;
    assert_eq!((view.total.hits, view.total.saved_ms, view.nodes.len()), (7, 3000, 2));
    let list: CacheEntries = bench.get("/v1/cache/entries?pattern=%2Fa&count=5").await;
    let seen: Vec<_> =
        list.entries.iter().map(|entry| (entry.node.as_str(), entry.uses, entry.owner.as_deref())).collect();
    assert_eq!(seen, [("otter", 6, Some("heron")), ("heron", 1, Some("heron"))]);
    let list: CacheEntries = bench.get("/v1/cache/entries?count=1").await;
    assert_eq!(list.entries.len(), 1);

    bench.call("POST", "/v1/deploy", shop()).await;
    let purge = |wish: PurgeWish| bench.call("POST", "/v1/cache/purge", serde_json::to_vec(&wish).unwrap());
    let purged: PurgedView = purge(PurgeWish::Url("https://Shop.test/a/*".to_owned())).await.json();
    assert_eq!((purged.responses, purged.nodes, purged.missing.len()), (3, vec!["otter".to_owned()], 1));
    purge(PurgeWish::Tag { app: "shop".to_owned(), tag: "red".to_owned() }).await;
    assert_eq!(purge(PurgeWish::App("nobody".to_owned())).await.status, StatusCode::NOT_FOUND);
    assert_eq!(purge(PurgeWish::Url("/a".to_owned())).await.status, StatusCode::BAD_REQUEST);
    let asked = bench.nodes[0].purges.lock().unwrap().clone();
    let prefix = Purge::Prefix { host: "shop.test".to_owned(), target: "/a/".to_owned() };
    assert_eq!(asked, [prefix, Purge::Tag { app: "shop".to_owned(), tag: "red".to_owned() }]);

    bench.world().set_reach(2, Reached::Down);
    let view: CacheView = bench.get("/v1/cache").await;
    assert_eq!((view.nodes.len(), view.missing.len()), (1, 1));
}

/// The next line of a watch that says something.
async fn next_line(lines: &mut hyper::body::Incoming, rest: &mut Vec<u8>) -> WatchLine {
    loop {
        if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if line.len() > 1 {
                return serde_json::from_slice(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
            }
            continue;
        }
        let frame = tokio::time::timeout(Duration::from_secs(10), lines.frame()).await.expect("a line comes");
        rest.extend_from_slice(&frame.expect("the watch goes on").unwrap().into_data().unwrap());
    }
}

#[tokio::test]
async fn changes_are_told_by_the_node_that_executed_them_or_found_by_looking() {
    for tells in [true, false] {
        let bench = Bench::new(&["otter", "heron"]);
        *bench.world().tells_changes.lock().unwrap() = tells;
        bench.call("POST", "/v1/buckets", r#"{"name":"notes"}"#).await;
        bench.call("PUT", "/v1/kv/notes/a1", "before").await;
        let path = "/v1/buckets/notes/watch?pattern=a*";
        let request = bench.request("GET", path).header("authorization", format!("Bearer {TOKEN}"));
        let mut lines = bench.open(request.body(Full::default()).unwrap()).await.into_body();
        let mut rest = Vec::new();
        let WatchLine::Head { watching, sees } = next_line(&mut lines, &mut rest).await else { panic!("no head") };
        assert_eq!(watching, Text::Utf8("a*".to_owned()));
        assert_eq!(sees, if tells { KvSeen::EveryChange } else { KvSeen::LooksEveryMs(200) });
        // The second node has no listener here: its data tier is called as its own door would.
        use ringway_ports::Kv as _;
        bench.nodes[1].set("notes", Bytes::from("b"), Bytes::from("other"), None).await.unwrap();
        bench.nodes[1].set("notes", Bytes::from("a1"), Bytes::from("after"), None).await.unwrap();
        let WatchLine::Change(change) = next_line(&mut lines, &mut rest).await else { panic!("no change") };
        assert_eq!((change.key.clone(), change.event.as_str()), (Text::Utf8("a1".to_owned()), "set"));
        assert_eq!(change.value, Some(ValueLine::String(Text::Utf8("after".to_owned()))));
        assert_eq!(change.node.as_deref(), tells.then_some("heron"));
        bench.call("DELETE", "/v1/kv/notes/a1", "").await;
        let WatchLine::Change(change) = next_line(&mut lines, &mut rest).await else { panic!("no change") };
        assert_eq!((change.event.as_str(), change.value, change.bytes), ("del", None, None));
    }
}

#[tokio::test]
async fn a_bucket_that_cannot_be_is_refused_with_the_reason() {
    let bench = Bench::new(&["otter"]);
    for (body, reason) in [
        (r#"{"name":"Not A Name"}"#, "cannot be a name"),
        (r#"{"name":"a","replicas":4}"#, "replicas"),
        (r#"{"name":"a","limit_bytes":1}"#, "limit_bytes"),
        (r#"{"name":"a","ttl_ms":0}"#, "ttl_ms"),
        (r#"{"name":"a","durability":"Sync"}"#, "add `storage = "),
        (r#"{"nam":"a"}"#, "name"),
    ] {
        let answer = bench.call("POST", "/v1/buckets", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.failure().error.contains(reason), "{body}: {:?}", answer.failure());
    }
}

#[tokio::test]
async fn a_bucket_of_a_running_app_stays() {
    let bench = Bench::new(&["otter"]);
    bench.call("POST", "/v1/deploy", shop()).await;
    assert_eq!(bench.call("DELETE", "/v1/buckets/shop.cart", "").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn bodies_have_limits() {
    let bench = Bench::new(&["otter"]);
    let answer = bench.call("POST", "/v1/rollback", vec![b' '; 100_000]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let announced = bench
        .request("POST", "/v1/deploy")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-length", 2u64 << 30);
    // The body is not sent at all: the answer must come before it.
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let head = announced.body(()).unwrap();
    let mut stream = tokio::net::TcpStream::connect(bench.address).await.unwrap();
    let mut text = "POST /v1/deploy HTTP/1.1\r\n".to_owned();
    head.headers().iter().for_each(|(name, value)| text += &format!("{name}: {}\r\n", value.to_str().unwrap()));
    stream.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_key_is_found_on_its_owner_one_measured_hop_away() {
    let bench = Bench::new(&["otter", "heron", "lynx"]);
    let mut elsewhere = None;
    for n in 0..50 {
        let found: Lookup = bench.get(&format!("/v1/ring/lookup?key=key-{n}")).await;
        assert_eq!(found.slot / 4, found.partition);
        assert_eq!(found.owners.len(), 3);
        let is_here = found.owners[0].id == node_id(1);
        assert_eq!(found.path.len(), if is_here { 1 } else { 2 });
        elsewhere = elsewhere.or((!is_here).then_some(found));
    }
    let found = elsewhere.expect("of fifty keys some are on other nodes");
    assert_eq!(found.path[0].node.name, "otter");
    assert_eq!(found.path[1].node.name, found.owners[0].name);
    assert!(found.path[1].round_trip_us.is_some() && found.path[1].failure.is_none());
    assert_eq!(bench.get::<Lookup>("/v1/ring/lookup?key=foo").await.slot, 12182);
    assert_eq!(bench.call("GET", "/v1/ring/lookup", "").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_lookup_names_its_router_its_start_and_every_stop_or_what_is_wrong() {
    let bench = Bench::new(&["otter", "heron", "lynx"]);
    let found: Lookup = bench.get("/v1/ring/lookup?key=cart:7&via=all&from=lynx").await;
    let routers: Vec<String> = found.walks.iter().map(|walk| walk.via.to_string()).collect();
    assert_eq!(routers, ["index", "table", "neighbours", "fingers"]);
    for walk in &found.walks {
        assert_eq!((walk.path[0].node.name.as_str(), walk.path[0].is_local), ("lynx", true));
        assert_eq!(walk.owner.as_ref().map(|owner| &owner.id), Some(&found.owners[0].id));
    }
    let status = async |path: &str| bench.call("GET", path, "").await.status;
    assert_eq!(status("/v1/ring/lookup?key=a&via=phone").await, StatusCode::BAD_REQUEST);
    assert_eq!(status("/v1/ring/lookup?key=a&walk=slow").await, StatusCode::BAD_REQUEST);
    assert_eq!(status("/v1/ring/lookup?key=a&from=badger").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/v1/ring/lookup?key=a&bucket=none").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_sample_is_of_as_many_keys_as_asked_for_by_one_router() {
    let bench = Bench::new(&["otter", "heron"]);
    let sample: LookupSample = bench.get("/v1/ring/sample?count=40&via=fingers&seed=7").await;
    assert_eq!((sample.hops.len(), sample.times_us.len(), sample.failed, sample.nodes), (40, 40, 0, 2));
    assert!(sample.hops.contains(&0) && sample.hops.contains(&1));
    let again: LookupSample = bench.get("/v1/ring/sample?count=40&via=fingers&seed=7").await;
    assert_eq!(sample.hops, again.hops, "the same keys");
    assert_eq!(bench.call("GET", "/v1/ring/sample?via=all", "").await.status, StatusCode::BAD_REQUEST);
    let unnamed = bench.call("GET", "/v1/ring/sample?via=index", "").await;
    assert_eq!(unnamed.status, StatusCode::BAD_REQUEST, "a directory is of a bucket");
}

#[tokio::test]
async fn a_plan_tells_keys_and_bytes_and_is_what_then_moves() {
    let bench = Bench::new(&["otter", "heron", "lynx"]);
    bench.call("POST", "/v1/buckets", r#"{"name":"notes"}"#).await;
    for n in 0..50 {
        assert_eq!(bench.call("PUT", &format!("/v1/kv/notes/key-{n}"), "12345").await.status, StatusCode::OK);
    }
    let plan: RingPlan = bench.get("/v1/ring/plan?join=1").await;
    assert_eq!(plan.moved.partitions, 3072);
    let otter = plan.nodes.iter().find(|node| node.name == "otter").unwrap();
    assert_eq!((otter.now.load.keys, otter.role.as_str()), (50, "stays"));
    assert!(plan.moved.keys > 0 && plan.moved.bytes > plan.moved.keys * 100 && plan.minutes.is_some());
    bench.world().add_node(4, "mole");
    let moving = bench.get::<Status>("/v1/status").await.ring.moving.unwrap();
    assert_eq!(moving.copies_total, plan.moved.partitions);
    let transfers = bench.get::<RingView>("/v1/ring").await.transfers;
    assert_eq!(transfers.iter().map(|transfer| transfer.partitions_total).sum::<u64>(), plan.moved.partitions);
    assert!(transfers.iter().all(|transfer| transfer.to.name == "mole" && transfer.state == "waiting"));
}

#[tokio::test]
async fn a_plan_without_a_change_or_without_anybody_left_is_refused() {
    let bench = Bench::new(&["otter", "heron"]);
    let status = async |path: &str| bench.call("GET", path, "").await.status;
    assert_eq!(status("/v1/ring/plan").await, StatusCode::BAD_REQUEST);
    assert_eq!(status("/v1/ring/plan?join=65").await, StatusCode::BAD_REQUEST);
    assert_eq!(status("/v1/ring/plan?kill=badger").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/v1/ring/plan?kill=otter,heron").await, StatusCode::CONFLICT);
    assert_eq!(status("/v1/ring/plan?kill=otter&join=1").await, StatusCode::OK);
}

#[tokio::test]
async fn settings_change_one_by_one_and_within_limits() {
    let bench = Bench::new(&["otter"]);
    let put = async |body: &'static str| bench.call("PUT", "/v1/ring/settings", body).await;
    let changed: RingSettings = put(r#"{"replace_after_ms":120000}"#).await.json();
    assert_eq!(changed.replace_after_ms, Some(120_000));
    assert!(changed.transfer_rate.is_some());
    assert_eq!(put(r#"{"transfer_rate":1}"#).await.status, StatusCode::CONFLICT);
    assert_eq!(put(r#"{"speed":1}"#).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(put("{}").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(bench.get::<RingSettings>("/v1/ring/settings").await, changed);
}

#[tokio::test]
async fn what_moves_can_be_cancelled_and_taken_up_again() {
    let bench = Bench::new(&["otter"]);
    assert_eq!(bench.call("POST", "/v1/ring/cancel", "").await.status, StatusCode::CONFLICT, "nothing moves");
    bench.world().add_node(2, "heron");
    assert_eq!(bench.call("POST", "/v1/ring/cancel", "").await.status, StatusCode::OK);
    assert_eq!(bench.get::<Status>("/v1/status").await.ring.moving, None);
    assert_eq!(bench.call("POST", "/v1/ring/rebalance", "").await.status, StatusCode::OK);
    assert!(bench.get::<Status>("/v1/status").await.ring.moving.is_some());
}

#[tokio::test]
async fn who_watches_sees_a_join_and_gets_the_arcs_only_when_they_change() {
    let bench = Bench::new(&["otter"]);
    let request = bench.request("GET", "/v1/ring/watch").header("authorization", format!("Bearer {TOKEN}"));
    let mut body = bench.open(request.body(Full::default()).unwrap()).await.into_body();
    let mut buffer = Vec::new();
    let mut next = async || loop {
        if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            return serde_json::from_slice::<RingFrame>(&line).unwrap();
        }
        buffer.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
    };
    assert_eq!(next().await.ring.map(|ring| ring.members.len()), Some(1));
    assert!(next().await.ring.is_none(), "nothing has changed");
    bench.world().add_node(2, "heron");
    let mut frame = next().await;
    while frame.status.ring.moving.is_none() {
        frame = next().await;
    }
    assert_eq!(frame.ring.map(|ring| ring.members.len()), Some(2));
    assert_eq!((frame.transfers.len(), frame.transfers[0].partitions_total), (1, 4096));
}

#[tokio::test]
async fn the_status_shows_every_node_also_one_that_is_down() {
    let bench = Bench::new(&["otter", "heron", "lynx"]);
    bench.world().set_reach(3, Reached::Down);
    let status: Status = bench.get("/v1/status").await;
    assert_eq!(status.leader.unwrap().name, "otter");
    let lynx = status.nodes.iter().find(|node| node.name == "lynx").unwrap();
    assert_eq!((lynx.reach, lynx.memory_bytes), (Reach::Down, None));
    let heron = status.nodes.iter().find(|node| node.name == "heron").unwrap();
    assert_eq!((heron.reach, heron.memory_bytes), (Reach::Up, Some(48_000_000)));
    assert_eq!(status.nodes.iter().map(|node| node.share.primary).sum::<usize>(), 4096);
    assert_eq!(status.ring.moving, None);
    let ps: Ps = bench.get("/v1/ps").await;
    assert_eq!(ps.nodes.iter().filter(|node| node.failure.is_some()).count(), 1);
}

#[tokio::test]
async fn a_ring_that_moves_says_how_far_it_is() {
    let bench = Bench::new(&["otter"]);
    bench.world().add_node(2, "heron");
    let status: Status = bench.get("/v1/status").await;
    let moving = status.ring.moving.expect("a node has joined and not yet fetched anything");
    assert_eq!((moving.copies_done, moving.copies_total), (0, 4096));
    assert_eq!(status.nodes[0].share_next.map(|share| share.held), Some(4096));
    bench.world().settle();
    assert_eq!(bench.get::<Status>("/v1/status").await.ring.moving, None);
}

#[tokio::test]
async fn the_overview_leaves_out_the_arcs_that_are_known_and_sums_the_rates() {
    let bench = Bench::new(&["otter", "heron"]);
    *bench.nodes[0].rate.lock().unwrap() = (100, vec![1, 2]);
    *bench.nodes[1].rate.lock().unwrap() = (100, vec![10, 20]);
    *bench.nodes[1].instances.lock().unwrap() = vec![instance(1, 1, InstanceState::Idle, "")];
    let overview: Overview = bench.get("/v1/overview").await;
    let ring = overview.ring.expect("the first answer has the arcs");
    assert_eq!((ring.arcs.len(), ring.members.len(), ring.held.len()), (2, 2, 2), "{:?}", ring.arcs);
    assert_eq!((overview.rate_here.counts, overview.rate_all.counts), (vec![1, 2], vec![11, 22]));
    assert_eq!((overview.instances[0].node.as_str(), overview.instances[0].instance.unit.as_str()), ("heron", "web"));
    assert!(bench.get::<Overview>(&format!("/v1/overview?ring={}", ring.version)).await.ring.is_none());
}

#[tokio::test]
async fn a_node_that_counts_a_second_later_does_not_make_the_sum_of_now_too_small() {
    let bench = Bench::new(&["otter", "heron"]);
    *bench.nodes[0].rate.lock().unwrap() = (100, vec![1, 2]);
    *bench.nodes[1].rate.lock().unwrap() = (99, vec![10, 20]);
    let Overview { rate_here, rate_all, .. } = bench.get("/v1/overview").await;
    assert_eq!((rate_here.until_s, rate_here.counts), (99, vec![1]));
    assert_eq!((rate_all.until_s, rate_all.counts), (99, vec![10, 21]));
}

#[tokio::test]
async fn log_lines_of_all_nodes_are_merged_by_time() {
    let bench = Bench::new(&["otter", "heron", "lynx"]);
    bench.call("POST", "/v1/deploy", shop()).await;
    bench.world().set_reach(3, Reached::Down);
    *bench.nodes[0].logs.lock().unwrap() = vec![log_line(1, "a"), log_line(4, "d")];
    *bench.nodes[1].logs.lock().unwrap() = vec![log_line(2, "b"), log_line(3, "c")];
    let logs: Logs = bench.get("/v1/logs?app=shop&lines=3").await;
    let told: Vec<(&str, &str)> =
        logs.lines.iter().map(|entry| (entry.node.as_str(), entry.line.text.as_str())).collect();
    assert_eq!(told, [("heron", "b"), ("heron", "c"), ("otter", "d")]);
    assert_eq!(logs.unreachable[0].name, "lynx");
    assert_eq!(bench.call("GET", "/v1/logs?app=nope", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_follower_gets_each_line_of_every_node_once() {
    let bench = Bench::new(&["otter", "heron"]);
    bench.call("POST", "/v1/deploy", shop()).await;
    bench.nodes[0].log_sender.send(log_line(1, "before")).unwrap();
    let request =
        bench.request("GET", "/v1/logs/follow?app=shop&lines=5").header("authorization", format!("Bearer {TOKEN}"));
    let mut body = bench.open(request.body(Full::default()).unwrap()).await.into_body();
    let mut seen = Vec::new();
    let mut sent = 0;
    while seen.len() < 3 {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.unwrap().unwrap().unwrap();
        for line in frame.into_data().unwrap().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let entry: LogEntry = serde_json::from_slice(line).unwrap();
            seen.push((entry.node, entry.line.text));
        }
        if sent < 2 {
            bench.nodes[1 - sent].log_sender.send(log_line(5 + sent as u64, "after")).unwrap();
            sent += 1;
        }
    }
    let expected = [("otter", "before"), ("heron", "after"), ("otter", "after")];
    assert_eq!(seen, expected.map(|(node, text)| (node.to_owned(), text.to_owned())));
}

#[tokio::test]
async fn a_token_is_issued_for_as_long_as_was_asked() {
    let bench = Bench::new(&["otter"]);
    let token: IssuedToken = bench.call("POST", "/v1/tokens", r#"{"ttl_seconds":600}"#).await.json();
    let left = token.expires_ms - ringway_rt::clock::wall_ms();
    assert!((590_000..=600_000).contains(&left), "{left}");
    assert_eq!(bench.call("POST", "/v1/tokens", r#"{"ttl_seconds":0}"#).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_node_leaves_by_itself_and_only_a_dead_one_is_taken_out_by_others() {
    let bench = Bench::new(&["otter", "heron", "lynx"]);
    assert_eq!(bench.call("DELETE", "/v1/nodes/heron", "").await.status, StatusCode::CONFLICT);
    bench.world().set_reach(2, Reached::Down);
    assert_eq!(bench.call("DELETE", "/v1/nodes/heron", "").await.status, StatusCode::OK);
    assert_eq!(bench.call("DELETE", "/v1/nodes/heron", "").await.status, StatusCode::NOT_FOUND);
    bench.world().settle();
    assert_eq!(bench.call("POST", "/v1/leave", "").await.status, StatusCode::OK);
    assert_eq!(
        bench.call("POST", "/v1/leave", "").await.status,
        StatusCode::OK,
        "it is leaving already, which is what was asked"
    );
}

#[tokio::test]
async fn stopping_ends_idle_connections_and_followers() {
    let bench = Bench::new(&["otter"]);
    bench.call("POST", "/v1/deploy", shop()).await;
    let request = bench.request("GET", "/v1/logs/follow?app=shop").header("authorization", format!("Bearer {TOKEN}"));
    let response = bench.open(request.body(Full::default()).unwrap()).await;
    let idle = tokio::net::TcpStream::connect(bench.address).await.unwrap();
    let aborted = bench.controls[0].stop(Duration::from_secs(5)).await;
    assert_eq!(aborted, 0);
    drop((response, idle));
    let refused = bench.world().apply(Command::RemoveApp { app: "shop".to_owned() });
    assert!(refused.is_ok(), "the world goes on");
}

#[tokio::test]
async fn the_routing_tables_of_apps_are_shown_in_the_order_in_which_routes_are_tried() {
    let bench = Bench::new(&["n1"]);
    let deployed = bench.call("POST", "/v1/deploy", shop()).await;
    assert_eq!(deployed.status, StatusCode::CREATED);
    let tables: Vec<ringway_manifest::RoutingTable> = bench.get("/v1/routes").await;
    assert_eq!(tables.len(), 1);
    assert!(tables[0].hosts.contains(&"shop.localhost".to_owned()), "{tables:?}");
    assert!(!tables[0].rows.is_empty());
    assert_eq!(bench.get::<Vec<ringway_manifest::RoutingTable>>("/v1/routes?app=shop").await, tables);
    assert_eq!(bench.call("GET", "/v1/routes?app=blog", "").await.status, 404);
}

#[tokio::test]
async fn why_hands_the_request_to_the_front_end() {
    let bench = Bench::new(&["n1"]);
    let asked = r#"{"target":"/a?b","host":"shop.test","tls":true,"headers":[["x-a","1"]]}"#;
    let told: ringway_ports::Explanation = bench.call("POST", "/v1/why", asked).await.json();
    let route = told.route.unwrap();
    assert_eq!((route.result.as_str(), route.because[0].as_str()), ("GET true shop.test /a?b", r#"[("x-a", "1")]"#));
    assert_eq!(bench.call("POST", "/v1/why", r#"{"target":"a"}"#).await.status, 400);
}
