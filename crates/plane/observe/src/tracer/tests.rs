use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const TRACE_ID: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const SPAN_ID: u64 = 0x00f0_67aa_0ba9_02b7;
const PARENT_ID: u64 = 0x1122_3344_5566_7788;

fn span(trace_id: u128) -> SpanRecord {
    SpanRecord {
        trace_id,
        span_id: SPAN_ID,
        parent_span_id: PARENT_ID,
        name: "GET /cart".to_owned(),
        kind: SpanKind::Server,
        start_ns: 1_700_000_000_000_000_000,
        end_ns: 1_700_000_000_005_000_000,
        status: SpanStatus::Error,
        attributes: vec![("http.route", "/cart".to_owned())],
    }
}

fn config(endpoint: String) -> OtlpConfig {
    OtlpConfig::from_env(|name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("x-team=blue".to_owned()),
        "OTEL_RESOURCE_ATTRIBUTES" => Some("deployment.environment.name=lab".to_owned()),
        _ => None,
    })
    .unwrap()
}

/// Answers one request with 200 and returns its head and body.
async fn collect_one(listener: TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(head_end) = head_end {
            let head = String::from_utf8_lossy(&bytes[..head_end]).to_lowercase();
            let len = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap()
                .trim()
                .parse::<usize>()
                .unwrap();
            if bytes.len() >= head_end + 4 + len {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                return (head, bytes.split_off(head_end + 4));
            }
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the exporter hung up early");
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn a_collector_receives_the_span_with_its_ids_and_the_nodes_resource() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = config(format!("http://{}", listener.local_addr().unwrap()));
    let tasks = Tasks::new("observe");
    let identity =
        Identity { node_id: "abc123".to_owned(), node_name: "otter".to_owned(), version: "0.1.0".to_owned() };
    let tracer = Tracer::start(&config, &identity, &tasks).unwrap();
    assert!(tracer.wants_spans());
    tracer.span(span(TRACE_ID));
    let (head, body) = tokio::time::timeout(Duration::from_secs(20), collect_one(listener)).await.unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf") && head.contains("x-team: blue"), "{head}");
    // Protobuf keeps ids and strings as they are, so they can be looked for without a decoder.
    assert!(contains(&body, &TRACE_ID.to_be_bytes()) && contains(&body, &SPAN_ID.to_be_bytes()));
    assert!(contains(&body, &PARENT_ID.to_be_bytes()));
    for text in ["GET /cart", "http.route", "service.name", "ringway", "service.instance.id", "abc123", "otter", "lab"]
    {
        assert!(contains(&body, text.as_bytes()), "{text} is missing");
    }
    assert_eq!(tasks.stop(Duration::from_secs(5)).await, 0);
}

#[tokio::test]
async fn without_a_collector_there_is_no_task_and_no_span_is_wanted() {
    let tasks = Tasks::new("observe");
    let tracer = Tracer::start(&OtlpConfig::default(), &Identity::default(), &tasks).unwrap();
    assert!(!tracer.wants_spans());
    tracer.span(span(TRACE_ID));
    assert_eq!(tasks.running(), 0);
}

#[tokio::test]
async fn a_full_queue_drops_and_never_waits() {
    let (queue, mut spans) = mpsc::channel(1);
    let tracer = Tracer { queue: Some(queue), sampler: Sampler::AlwaysOn };
    tracer.span(span(1));
    tracer.span(span(2));
    assert_eq!(spans.recv().await.unwrap().trace_id, 1);
    assert!(spans.try_recv().is_err());
}

#[tokio::test]
async fn spans_that_are_queued_when_the_node_stops_are_still_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = config(format!("http://{}", listener.local_addr().unwrap()));
    let tasks = Tasks::new("observe");
    let tracer = Tracer::start(&config, &Identity::default(), &tasks).unwrap();
    tracer.span(span(TRACE_ID));
    let collected = tokio::spawn(collect_one(listener));
    assert_eq!(tasks.stop(Duration::from_secs(5)).await, 0);
    assert!(contains(&collected.await.unwrap().1, &TRACE_ID.to_be_bytes()));
}
