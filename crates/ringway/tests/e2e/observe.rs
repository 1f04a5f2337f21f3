//! Logs, metrics, traces.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Duration;

use ringway_testkit::{Cluster, get, request};

use crate::{binary, cluster, deploy, served};

#[test]
fn prometheus_finds_metrics_of_every_tier() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    cluster.scratch.write("site/public/index.html", "hello");
    deploy(node, &cluster.scratch.join("site"));
    served(node, "site.localhost", "/");
    let metrics = get(node.admin(), &node.admin().to_string(), "/metrics").expect("the node answers").text();
    for name in [
        "ringway_front_requests_total",
        "ringway_data_connections",
        "ringway_cluster_catalog_revision",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains(name), "{name} is missing in:\n{metrics}");
    }
    assert!(
        metrics.lines().any(|line| line.starts_with("ringway_front_requests_total{") && line.contains("site")),
        "{metrics}"
    );
}

#[test]
fn spans_reach_the_collector_that_the_usual_variable_names() {
    let collector = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let endpoint = format!("http://{}", collector.local_addr().expect("it is bound"));
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in collector.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
            let mut bytes = Vec::new();
            let mut piece = [0; 65536];
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                bytes.extend_from_slice(&piece[..length]);
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            if sender.send(bytes).is_err() {
                return;
            }
        }
    });
    let mut cluster = Cluster::empty(binary());
    let mut node = cluster.node(1);
    node.environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint));
    node.environment.push(("OTEL_SERVICE_NAME".to_owned(), "under-test".to_owned()));
    node.start(&["node"]);
    cluster.scratch.write("site/public/index.html", "hello");
    deploy(&node, &cluster.scratch.join("site"));
    served(&node, "site.localhost", "/");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    request(node.http(), "GET", "site.localhost", "/", &[("traceparent", trace)], b"").expect("the front end answers");
    let trace_id = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    let found = std::iter::from_fn(|| received.recv_timeout(Duration::from_secs(20)).ok())
        .find(|bytes| bytes.windows(16).any(|window| window == trace_id));
    let found = found.expect("a batch with our trace arrives");
    assert!(found.starts_with(b"POST /v1/traces"), "{}", String::from_utf8_lossy(&found[..40]));
    assert!(found.windows(10).any(|window| window == b"under-test"));
    cluster.nodes.push(node);
}

#[test]
fn logs_are_one_json_object_a_line_when_asked_for() {
    let mut cluster = Cluster::empty(binary());
    let mut node = cluster.node(1);
    node.environment.push(("RINGWAY_LOG_FORMAT".to_owned(), "json".to_owned()));
    node.start(&["node"]);
    assert_eq!(node.stop(), Some(0));
    let log = node.read_log();
    let json: Vec<serde_json::Value> =
        log.lines().filter(|line| line.starts_with('{')).filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(json.len() >= 2, "{log}");
    assert!(json.iter().all(|entry| entry["level"].is_string()), "{log}");
    cluster.nodes.push(node);
}
