//! The cache tier through real nodes: one app that counts how often it was asked.

use std::collections::BTreeMap;
use std::thread;

use ringway_testkit::{Answer, Cluster, Node, request, wait_for};

use crate::{deploy, served};

/// Answers with what the query says, and with how often that path was asked for.
const SERVER: &str = r#"
import os, sys, time, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, parse_qsl

counts, lock = {}, threading.Lock()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        if url.path == "/count":
            body = str(counts.get(query["of"], 0)).encode()
            return self.answer(200, body, {"Cache-Control": "no-store"})
        with lock:
            counts[url.path] = counts.get(url.path, 0) + 1
            count = counts[url.path]
        time.sleep(float(query.get("wait", 0)))
        if count > int(query.get("ok", 1000)):
            return self.answer(500, b"broken", {})
        if query.get("etag") and self.headers.get("If-None-Match") == f'"{query["etag"]}"':
            return self.answer(304, None, {"Cache-Control": query.get("cc", ""), "ETag": f'"{query["etag"]}"'})
        headers = {"Cache-Control": query["cc"]} if "cc" in query else {}
        headers.update({"ETag": f'"{query["etag"]}"'} if "etag" in query else {})
        headers.update({"Cache-Tag": query["tag"]} if "tag" in query else {})
        self.answer(int(query.get("status", 200)), f"{url.path} {count}\n".encode(), headers)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200, b"posted", {})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body is not None:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass

class Server(ThreadingHTTPServer):
    request_queue_size = 256

Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

fn with_server(size: usize) -> Cluster {
    let cluster = crate::cluster(size);
    cluster.scratch.write("web/server.py", SERVER);
    cluster.scratch.write(
        "web/ringway.toml",
        "name = \"web\"\n[[route]]\npath = \"/*\"\nto = \"main\"\n[service.main]\nrun = \"python3 server.py\"\n",
    );
    deploy(&cluster.nodes[0], &cluster.scratch.join("web"));
    cluster.nodes.iter().for_each(|node| drop(served(node, "web.localhost", "/count?of=/")));
    cluster
}

fn get(node: &Node, path: &str) -> Answer {
    ringway_testkit::get(node.http(), "web.localhost", path).expect("an answer")
}

fn ask(node: &Node, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(node.http(), method, "web.localhost", path, headers, b"").expect("an answer")
}

fn status(answer: &Answer) -> &str {
    answer.headers.get("cache-status").map_or("", String::as_str)
}

/// How often the app was asked for a path.
fn count(node: &Node, path: &str) -> String {
    get(node, &format!("/count?of={path}")).text()
}

#[test]
fn an_answer_that_may_be_kept_is_fetched_once() {
    let cluster = with_server(1);
    let node = &cluster.nodes[0];
    let path = "/a?cc=max-age%3D100&etag=x";
    let first = get(node, path);
    assert_eq!((first.text().as_str(), status(&first)), ("/a 1\n", "ringway; fwd=miss; stored"));
    for _ in 0..4 {
        let hit = get(node, path);
        assert!(hit.text() == "/a 1\n" && status(&hit).starts_with("ringway; hit"), "{hit:?}");
        assert!(hit.headers.contains_key("age") && hit.headers["cache-control"] == "max-age=100", "{hit:?}");
    }
    assert_eq!(count(node, "/a"), "1");
    let known = ask(node, "GET", path, &[("If-None-Match", "\"x\"")]);
    assert_eq!((known.status, known.text().as_str()), (304, ""));
    let part = ask(node, "GET", path, &[("Range", "bytes=1-3")]);
    assert_eq!(
        (part.status, part.text().as_str(), part.headers["content-range"].as_str()),
        (206, "a 1", "bytes 1-3/5")
    );
    let head = ask(node, "HEAD", path, &[]);
    assert_eq!((head.status, head.headers["content-length"].as_str()), (200, "5"));
    assert_eq!(count(node, "/a"), "1");
    let again = ask(node, "GET", path, &[("Cache-Control", "no-cache")]);
    assert_eq!(count(node, "/a"), "2", "{again:?}");
}

#[test]
fn what_may_not_be_kept_is_fetched_every_time() {
    let cluster = with_server(1);
    let node = &cluster.nodes[0];
    for (name, query) in [("/none", ""), ("/private", "?cc=private,max-age%3D100"), ("/no-store", "?cc=no-store")] {
        for nth in 1..=3 {
            let answer = get(node, &format!("{name}{query}"));
            assert_eq!(answer.text(), format!("{name} {nth}\n"));
            assert!(!status(&answer).contains("hit"), "{answer:?}");
        }
    }
}

#[test]
fn a_herd_costs_one_fetch() {
    let cluster = with_server(1);
    let node = &cluster.nodes[0];
    let texts: Vec<String> = thread::scope(|scope| {
        let asking: Vec<_> =
            (0..40).map(|_| scope.spawn(|| get(node, "/herd?cc=max-age%3D100&wait=0.5").text())).collect();
        asking.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    assert!(texts.iter().all(|text| text == "/herd 1\n"), "{texts:?}");
    assert_eq!(count(node, "/herd"), "1");
}

#[test]
fn a_purge_reaches_every_node_and_one_node_fetches_for_all() {
    let cluster = with_server(3);
    let everywhere = |path: &str| -> BTreeMap<String, String> {
        cluster.nodes.iter().map(|node| (node.name.clone(), get(node, path).text())).collect()
    };
    let all_are = |path: &str, text: &str| {
        let seen = everywhere(path);
        assert!(seen.values().all(|own| own == text), "{path}: {seen:?}");
    };
    let purge = |arguments: &[&str]| {
        let told = cluster.nodes[1].json(&[&["cache", "purge"], arguments].concat());
        assert_eq!(told["missing"].as_array().map(Vec::len), Some(0), "{told}");
    };
    // Each node runs an instance of its own or asks the one that does: one of them counts, whoever is asked.
    for name in ["/one", "/two", "/three"] {
        let path = format!("{name}?cc=max-age%3D1000&tag=numbers");
        all_are(&path, &format!("{name} 1\n"));
        all_are(&path, &format!("{name} 1\n"));
    }
    purge(&["web.localhost/one?cc=max-age%3D1000&tag=numbers"]);
    all_are("/one?cc=max-age%3D1000&tag=numbers", "/one 2\n");
    all_are("/two?cc=max-age%3D1000&tag=numbers", "/two 1\n");
    let purged = ask(&cluster.nodes[2], "PURGE", "/one?cc=max-age%3D1000&tag=numbers", &[]);
    assert_eq!((purged.status, purged.text().as_str()), (200, "3 purged on 3 nodes, 0 not reached\n"));
    all_are("/one?cc=max-age%3D1000&tag=numbers", "/one 3\n");
    let refused = ask(&cluster.nodes[2], "PURGE", "/one", &[("X-Forwarded-For", "10.0.0.1")]);
    assert_eq!(refused.status, 405);
    purge(&["--tag", "web", "numbers"]);
    all_are("/two?cc=max-age%3D1000&tag=numbers", "/two 2\n");
    all_are("/three?cc=max-age%3D1000&tag=numbers", "/three 2\n");
    purge(&["--all"]);
    all_are("/one?cc=max-age%3D1000&tag=numbers", "/one 4\n");
    let listed = cluster.nodes[0].json(&["cache", "ls", "/one"]);
    assert!(listed.to_string().contains("web.localhost/one"), "{listed}");
    let stats = cluster.nodes[0].json(&["cache", "stats"]);
    assert!(stats.to_string().contains("hits"), "{stats}");
}

#[test]
fn a_write_makes_what_is_kept_of_its_address_old() {
    let cluster = with_server(1);
    let node = &cluster.nodes[0];
    let path = "/cart?cc=max-age%3D1000";
    assert_eq!(get(node, path).text(), "/cart 1\n");
    assert_eq!(get(node, path).text(), "/cart 1\n");
    assert_eq!(ask(node, "POST", path, &[]).status, 200);
    assert_eq!(get(node, path).text(), "/cart 2\n");
}

#[test]
fn what_is_stale_is_used_while_it_is_fetched_anew_and_when_the_app_fails() {
    let cluster = with_server(1);
    let node = &cluster.nodes[0];
    let path = "/news?cc=max-age%3D0,stale-while-revalidate%3D100";
    assert_eq!(get(node, path).text(), "/news 1\n");
    // Old at once, and fetched behind the client's back.
    let stale = get(node, path);
    assert!(stale.text() == "/news 1\n" && status(&stale).contains("stale-while-revalidate"), "{stale:?}");
    wait_for("the new state", || match get(node, path).text() {
        text if text == "/news 1\n" => Err(text),
        _ => Ok(()),
    });
    let path = "/prices?cc=max-age%3D0,stale-if-error%3D100&ok=1";
    assert_eq!(get(node, path).text(), "/prices 1\n");
    let served = get(node, path);
    assert!(served.text() == "/prices 1\n" && status(&served).contains("stale-if-error"), "{served:?}");
    assert_eq!(count(node, "/prices"), "2", "the app was asked, and failed");
}
