//! Services, functions, CGI: started on the first request, reused, reaped, supervised.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use ringway_testkit::{Cluster, Node, get, request, run, wait_for};
use serde_json::Value;

use crate::{cluster, deploy, root, served};

/// A service in Python that says who it is; `/die` ends it.
const SERVICE: &str = r#"
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        body = f"pid={os.getpid()} release={os.environ['RINGWAY_RELEASE']} for={self.headers.get('X-Forwarded-For')} trace={self.headers.get('traceparent')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *args): pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

fn with_service() -> Cluster {
    let cluster = cluster(1);
    cluster.scratch.write("web/server.py", SERVICE);
    cluster.scratch.write("web/ringway.toml", "name = \"web\"\n[[route]]\npath = \"/*\"\nto = \"main\"\n[service.main]\nrun = \"python3 server.py\"\nhealth = \"/up\"\n");
    deploy(&cluster.nodes[0], &cluster.scratch.join("web"));
    cluster
}

fn instances(node: &Node, unit: &str) -> Vec<Value> {
    let ps = node.json(&["ps"]);
    let nodes = ps["nodes"].as_array().expect("ps lists nodes").clone();
    nodes
        .iter()
        .flat_map(|node| node["instances"].as_array().cloned().unwrap_or_default())
        .filter(|instance| instance["unit"] == unit)
        .collect()
}

#[test]
fn a_service_is_restarted_when_it_dies_and_its_output_is_kept() {
    let cluster = with_service();
    let node = &cluster.nodes[0];
    let before = served(node, "web.localhost", "/").text();
    assert!(before.contains("for=127."), "{before}");
    let died = get(node.http(), "web.localhost", "/die").expect("the front end answers");
    assert_eq!(died.status, 502, "{}", died.text());
    let after = served(node, "web.localhost", "/").text();
    assert_ne!(before.split(' ').next(), after.split(' ').next(), "another process answers");
    wait_for("the log to tell of it", || {
        let logs = node.cli(&["logs", "web"]).ok();
        let told = logs.matches("listening").count() >= 2 && logs.contains("status 3");
        if told { Ok(()) } else { Err(logs) }
    });
    assert_eq!(instances(node, "main")[0]["restarts"], 1);
}

#[test]
fn a_new_release_takes_over_without_a_failed_request_and_rollback_brings_the_old_one_back() {
    let cluster = with_service();
    let node = &cluster.nodes[0];
    served(node, "web.localhost", "/");
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = node.http();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut answers = Vec::new();
            while !stop.load(Relaxed) {
                asked.fetch_add(1, Relaxed);
                answers.push(get(address, "web.localhost", "/").map(|answer| (answer.status, answer.text())));
            }
            answers
        });
        cluster.scratch.write("web/server.py", format!("# second\n{SERVICE}"));
        deploy(node, &cluster.scratch.join("web"));
        // "live" means that nobody is answered by the old release any more.
        assert!(served(node, "web.localhost", "/").text().contains("release=2"));
        node.cli(&["rollback", "web"]).ok();
        wait_for("release 1", || {
            served(node, "web.localhost", "/").text().contains("release=1").then_some(()).ok_or("not yet".to_owned())
        });
        wait_for("more requests than could pass by luck", || {
            if asked.load(Relaxed) > 60 { Ok(()) } else { Err("not yet".to_owned()) }
        });
        stop.store(true, Relaxed);
        let answers = client.join().expect("the client does not panic");
        let failed: Vec<_> = answers.iter().filter(|answer| !matches!(answer, Ok((200, _)))).collect();
        assert!(failed.is_empty(), "{} of {} failed: {:?}", failed.len(), answers.len(), failed.first());
    });
}

#[test]
fn the_trace_of_the_caller_reaches_the_service() {
    let cluster = with_service();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    served(&cluster.nodes[0], "web.localhost", "/");
    let answer = request(cluster.nodes[0].http(), "GET", "web.localhost", "/", &[("traceparent", trace)], b"")
        .expect("the front end answers")
        .text();
    assert!(answer.contains("trace=00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{answer}");
    assert!(!answer.contains("00f067aa0ba902b7"), "the span is ours: {answer}");
}

#[test]
fn an_app_that_exits_at_once_is_named_and_disturbs_nobody() {
    let cluster = with_service();
    let node = &cluster.nodes[0];
    cluster.scratch.write("broken/ringway.toml", "name = \"broken\"\n[[route]]\npath = \"/*\"\nto = \"main\"\n[service.main]\nrun = \"echo cannot find my config >&2; exit 7\"\nhealth = \"/up\"\nstart_timeout = \"2s\"\n");
    let error = node.cli(&["deploy", "broken", "--timeout", "3s"]).fails();
    assert!(error.contains("broken release 1 is not healthy") && error.contains("status 7"), "{error}");
    let answer = get(node.http(), "broken.localhost", "/").expect("the front end answers");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(!answer.text().contains("cannot find my config"), "details stay in the log");
    assert!(node.cli(&["logs", "broken"]).ok().contains("cannot find my config"));
    served(node, "web.localhost", "/");
}

#[test]
fn a_directory_without_a_manifest_just_runs() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    cluster.scratch.write("plain/public/index.html", "static");
    cluster.scratch.write_program(
        "plain/cgi-bin/env.sh",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv | sort\n",
    );
    deploy(node, &cluster.scratch.join("plain"));
    assert_eq!(served(node, "plain.localhost", "/").text(), "static");
    let answer = request(
        node.http(),
        "GET",
        "plain.localhost",
        "/cgi-bin/env.sh/a/b?q=1",
        &[("Proxy", "evil"), ("X-Mine", "yes")],
        b"",
    )
    .expect("the front end answers");
    let text = answer.text();
    for line in [
        "PATH_INFO=/a/b",
        "QUERY_STRING=q=1",
        "REQUEST_METHOD=GET",
        "SCRIPT_NAME=/cgi-bin/env.sh",
        "GATEWAY_INTERFACE=CGI/1.1",
        "HTTP_X_MINE=yes",
        "SERVER_PROTOCOL=HTTP/1.1",
        "SERVER_NAME=plain.localhost",
    ] {
        assert!(text.lines().any(|had| had == line), "{line} is missing in:\n{text}");
    }
    assert!(!text.contains("HTTP_PROXY"), "httpoxy");
    assert!(!text.contains("RINGWAY_ADMIN"), "nothing of the node's own environment");
}

#[test]
fn a_component_answers_and_one_that_is_none_is_named() {
    let cluster = cluster(2);
    std::fs::create_dir_all(cluster.scratch.join("calc")).expect("the scratch directory is writable");
    std::fs::copy(root().join("examples/shop/price.wasm"), cluster.scratch.join("calc/price.wasm"))
        .expect("the example is there");
    cluster.scratch.write("calc/fake.wasm", "this is no component");
    cluster.scratch.write("calc/ringway.toml", "name = \"calc\"\n[[route]]\npath = \"/price\"\nto = \"price\"\n[[route]]\npath = \"/fake\"\nto = \"fake\"\n[function.price]\nwasm = \"price.wasm\"\n[function.fake]\nwasm = \"fake.wasm\"\n");
    deploy(&cluster.nodes[0], &cluster.scratch.join("calc"));
    for node in &cluster.nodes {
        let answer = served(node, "calc.localhost", "/price?sku=mug&qty=3");
        assert_eq!(answer.json()["total_cents"], 3375);
        let fake = get(node.http(), "calc.localhost", "/fake").expect("the front end answers");
        assert_eq!(fake.status, 503, "{}", fake.text());
    }
    assert_eq!(served(&cluster.nodes[0], "calc.localhost", "/price?sku=tee&qty=1").json()["total_cents"], 2400);
    let logs = cluster.nodes[0].cli(&["logs", "calc"]).ok();
    assert!(logs.contains("component"), "{logs}");
}

#[test]
fn a_lambda_process_starts_on_the_first_request_is_reused_and_reaped() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    cluster.scratch.write("fn/loop.py", LAMBDA);
    cluster.scratch.write("fn/ringway.toml", "name = \"fn\"\n[[route]]\npath = \"/*\"\nto = \"hello\"\n[function.hello]\nlambda = \"python3 loop.py\"\nidle = \"2s\"\n");
    deploy(node, &cluster.scratch.join("fn"));
    let states = || {
        instances(node, "hello")
            .iter()
            .map(|instance| instance["state"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(states(), ["cold"], "nothing runs before the first request");
    let first = served(node, "fn.localhost", "/a").text();
    let second = served(node, "fn.localhost", "/b").text();
    assert!(first.ends_with("GET /a") && second.ends_with("GET /b"), "{first} {second}");
    assert_eq!(first.split(' ').next(), second.split(' ').next(), "the same process");
    wait_for("it to be reaped", || if states() == ["cold"] { Ok(()) } else { Err(format!("{:?}", states())) });
    let third = served(node, "fn.localhost", "/c").text();
    assert_ne!(first.split(' ').next(), third.split(' ').next(), "another process");
}

/// A Lambda runtime in a few lines of Python's standard library.
const LAMBDA: &str = r#"
import http.client, json, os
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
base = "/2018-06-01/runtime/invocation/"
connection = http.client.HTTPConnection(api)
while True:
    connection.request("GET", base + "next")
    answer = connection.getresponse()
    event = json.loads(answer.read())
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    method = event["requestContext"]["http"]["method"]
    body = json.dumps({"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": f"{os.getpid()} {method} {event['rawPath']}"})
    connection.request("POST", base + request_id + "/response", body)
    connection.getresponse().read()
"#;

#[test]
fn any_node_serves_any_app_and_forwards_to_where_a_service_runs() {
    let cluster = cluster(3);
    cluster.scratch.write("web/server.py", SERVICE);
    cluster.scratch.write("web/ringway.toml", "name = \"web\"\n[[route]]\npath = \"/*\"\nto = \"main\"\n[service.main]\nrun = \"python3 server.py\"\nhealth = \"/up\"\n");
    deploy(&cluster.nodes[0], &cluster.scratch.join("web"));
    let answers: Vec<String> = cluster.nodes.iter().map(|node| served(node, "web.localhost", "/").text()).collect();
    let pids: std::collections::BTreeSet<&str> = answers.iter().filter_map(|answer| answer.split(' ').next()).collect();
    assert_eq!(pids.len(), 1, "one instance for all three: {answers:?}");
    let total = instances(&cluster.nodes[0], "main").iter().filter(|instance| instance["pid"].is_number()).count();
    assert_eq!(total, 1);
}

#[test]
fn a_service_runs_elsewhere_when_its_node_is_killed() {
    let mut cluster = cluster(3);
    cluster.scratch.write("web/server.py", SERVICE);
    cluster.scratch.write("web/ringway.toml", "name = \"web\"\n[[route]]\npath = \"/*\"\nto = \"main\"\n[service.main]\nrun = \"python3 server.py\"\nhealth = \"/up\"\n");
    deploy(&cluster.nodes[0], &cluster.scratch.join("web"));
    served(&cluster.nodes[0], "web.localhost", "/");
    let ps = cluster.nodes[0].json(&["ps"]);
    let host = ps["nodes"].as_array().expect("ps lists nodes").iter().position(|node| {
        node["instances"]
            .as_array()
            .is_some_and(|instances| instances.iter().any(|instance| instance["pid"].is_number()))
    });
    let name =
        ps["nodes"][host.expect("somebody runs it")]["node"]["name"].as_str().expect("a node has a name").to_owned();
    let pid = served(&cluster.nodes[0], "web.localhost", "/").text();
    let victim = cluster.nodes.iter().position(|node| node.name == name).expect("it is one of ours");
    cluster.nodes[victim].kill();
    let survivor = &cluster.nodes[(victim + 1) % 3];
    let after = served(survivor, "web.localhost", "/").text();
    assert_ne!(pid.split(' ').next(), after.split(' ').next());
    let orphan = pid.trim_start_matches("pid=").split(' ').next().expect("a pid").to_owned();
    wait_for("the killed node's process to be gone", || {
        if Path::new(&format!("/proc/{orphan}")).exists() { Err(format!("{orphan} still runs")) } else { Ok(()) }
    });
}

#[test]
fn websockets_pass_through_to_a_service() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    cluster.scratch.write("ws/server.py", WEBSOCKET);
    cluster.scratch.write(
        "ws/ringway.toml",
        "name = \"ws\"\n[[route]]\npath = \"/*\"\nto = \"main\"\n[service.main]\nrun = \"python3 server.py\"\n",
    );
    deploy(node, &cluster.scratch.join("ws"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        use futures_util::{SinkExt as _, StreamExt as _};
        use tokio_tungstenite::tungstenite::Message;
        let (mut socket, _) =
            tokio_tungstenite::connect_async(format!("ws://{}/chat", node.http())).await.expect("the upgrade passes");
        for text in ["one", "two"] {
            socket.send(Message::text(text)).await.expect("the socket is open");
            let answer = socket.next().await.expect("the service answers").expect("a frame");
            assert_eq!(answer.into_text().expect("text").as_str(), format!("echo {text}"));
        }
    });
}

/// A WebSocket echo (RFC 6455, short text frames only) on Python's standard library.
const WEBSOCKET: &str = r#"
import base64, hashlib, os, socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        key = None
        while (line := self.rfile.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"sec-websocket-key":
                key = value.strip()
        if key is None:
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return
            length = head[1] & 127
            mask = self.rfile.read(4)
            text = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(length)))
            answer = b"echo " + text
            self.wfile.write(bytes([0x81, len(answer)]) + answer)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

#[test]
fn a_stopped_node_takes_its_processes_with_it() {
    let mut cluster = with_service();
    let pid = served(&cluster.nodes[0], "web.localhost", "/")
        .text()
        .trim_start_matches("pid=")
        .split(' ')
        .next()
        .expect("a pid")
        .to_owned();
    assert_eq!(cluster.nodes[0].stop(), Some(0));
    assert!(!run("kill", &["-0", &pid]).success, "process {pid} is gone");
}
