use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::stage::*;

const GOOD: &str = "GET /ok HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";

fn stage() -> Stage {
    Stage::new(vec![function("/*", "tell")])
}

/// Status and sentence of every answer on a connection.
async fn answers(stage: &Stage, bytes: &str) -> String {
    let answer = String::from_utf8(talk(stage.address, bytes.as_bytes()).await).unwrap();
    let mut told = String::new();
    for part in answer.split("HTTP/1.1 ").skip(1) {
        let status = part.split("\r\n").next().unwrap();
        let sentence = part.split("\r\n\r\n").nth(1).unwrap().lines().nth(1).unwrap_or_default();
        told += &if status.starts_with('2') { format!("{status}\n") } else { format!("{status}: {sentence}\n") };
    }
    told
}

#[tokio::test]
async fn smuggling_tricks_are_refused_with_the_reason_and_end_the_connection() {
    let stage = stage();
    let head = "POST /a HTTP/1.1\r\nHost: shop.localhost\r\n";
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";
    let mut told = String::new();
    for bytes in [
        format!("{head}Content-Length: 0\r\nContent-Length: 44\r\n\r\n{smuggled}"),
        format!("{head}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{head}X: a\r\n b\r\n\r\n{smuggled}"),
        format!("{head}X: a\rContent-Length: 9\r\n\r\n{smuggled}"),
        format!("{head}X: a\n\r\n{smuggled}"),
        format!("{head}X: a\0b\r\n\r\n{smuggled}"),
        format!("{head}Host: other\r\n\r\n{smuggled}"),
        format!("GET /a HTTP/1.1\r\n\r\n{smuggled}"),
        format!("GET /a\u{b}b HTTP/1.1\r\nHost: a\r\n\r\n{smuggled}"),
        format!("GET /a HTTP/3.0\r\n\r\n{smuggled}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n{smuggled}"),
        "GET /a HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n".to_owned(),
        "GET /../a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
        "TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
    ] {
        told += &answers(&stage, &bytes).await;
    }
    expect_test::expect![[r#"
        400 Bad Request: the request is malformed: there are two Content-Length headers
        400 Bad Request: the request is malformed: there are both Content-Length and Transfer-Encoding
        400 Bad Request: the request is malformed: there are both Content-Length and Transfer-Encoding
        400 Bad Request: the request is malformed: Transfer-Encoding is something else than chunked
        400 Bad Request: the request is malformed: a header's name is not a word
        400 Bad Request: the request is malformed: a header is folded over two lines
        400 Bad Request: the request is malformed: a header has control characters
        400 Bad Request: the request is malformed: a line ends without a carriage return
        400 Bad Request: the request is malformed: a header has control characters
        400 Bad Request: the request is malformed: there must be one Host header
        400 Bad Request: the request is malformed: there must be one Host header
        400 Bad Request: the request is malformed: the address has bytes that must be percent-encoded
        505 HTTP Version Not Supported: this version of HTTP is not spoken here
        400 Bad Request: the request is malformed: the body is malformed or was cut short
        400 Bad Request: the request is malformed: the host is not a name
        400 Bad Request: the request is malformed: the path has a `..` part
        400 Bad Request: the request is malformed: the path has a NUL byte
        405 Method Not Allowed: this method is not for this address
        405 Method Not Allowed: this method is not for this address
        400 Bad Request: the request is malformed: the first line is not a method, an address and a version
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn good_requests_before_a_bad_one_are_answered_in_order() {
    let told = answers(&stage(), &format!("{GOOD}{GOOD}GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n{GOOD}")).await;
    expect_test::expect![[r#"
        200 OK
        200 OK
        400 Bad Request: the request is malformed: there must be one Host header
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn every_refusal_has_a_request_id_and_no_internals() {
    let stage = Stage::new(vec![function("/busy", "busy"), function("/*", "tell")]);
    let text = Reply::parse(&talk(stage.address, b"GET / HTTP/9.9\r\n\r\n").await);
    assert!(text.text().ends_with(&format!("request {}\n", text.header("x-request-id").unwrap())));
    let busy = stage.get_with("/busy", &["Accept: text/html,*/*"]).await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("1")));
    assert!(busy.text().starts_with("<!doctype html>") && !busy.text().contains("secret/path"));
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let stage = stage();
    let mut told = String::new();
    for bytes in [
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9 << 10)),
        format!("GET /{}", "x".repeat(100 << 10)),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(40 << 10)),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(200 << 10)),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101)),
    ] {
        told += &answers(&stage, &bytes).await;
    }
    expect_test::expect![[r#"
        414 URI Too Long: the address is longer than the limit of 8192 bytes
        414 URI Too Long: the address is longer than the limit of 8192 bytes
        431 Request Header Fields Too Large: the request's headers are larger than the limit
        431 Request Header Fields Too Large: the request's headers are larger than the limit
        431 Request Header Fields Too Large: the request's headers are larger than the limit
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn a_slow_head_is_told_so_and_a_silent_connection_is_closed() {
    let stage = Stage::with(vec![function("/*", "tell")], |config| {
        config.limits.head_timeout = Duration::from_millis(200);
        config.limits.idle_timeout = Duration::from_millis(400);
    });
    let slow = talk(stage.address, b"GET / HTTP/1.1\r\nHost:").await;
    assert_eq!(Reply::parse(&slow).status, 408);
    let started = Instant::now();
    assert!(talk(stage.address, b"").await.is_empty());
    let kept = talk(stage.address, GOOD.as_bytes()).await;
    assert_eq!(Reply::parse(&kept).status, 200);
    assert!(started.elapsed() >= Duration::from_millis(800), "each was kept for its time");
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_before_it_is_sent() {
    let stage = stage();
    let started = Instant::now();
    let bytes = "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 10737418240\r\n\r\nfirst bytes";
    let reply = Reply::parse(&talk(stage.address, bytes.as_bytes()).await);
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_refused_as_it_does() {
    let mut route = function("/*", "tell");
    route.body_max = Some(ringway_manifest::Bytes(1000));
    let stage = Stage::new(vec![route]);
    let head = "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(format!("{head}{chunk}{chunk}{chunk}").as_bytes()).await.unwrap();
    let reply = Reply::parse(&read_all(&mut stream).await);
    assert_eq!(reply.status, 413);
    let fits = talk(stage.address, format!("{head}{chunk}{chunk}0\r\n\r\nGET / HTTP/9.9\r\n\r\n").as_bytes()).await;
    assert_eq!(Reply::parse(&fits).status, 200);
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_given_up() {
    let stage = Stage::with(vec![function("/*", "tell")], |config| {
        config.limits.body_idle_timeout = Duration::from_millis(200)
    });
    let bytes = "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 10\r\n\r\n123";
    assert_eq!(Reply::parse(&talk(stage.address, bytes.as_bytes()).await).status, 408);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let stage = Stage::with(vec![function("/*", "tell")], |config| config.limits.connections_max = 1);
    let mut first = TcpStream::connect(stage.address).await.unwrap();
    first.write_all(GOOD.as_bytes()).await.unwrap();
    read_head(&mut first).await;
    let reply = Reply::parse(&talk(stage.address, GOOD.as_bytes()).await);
    assert_eq!(
        (reply.status, reply.header("retry-after"), reply.header("connection")),
        (503, Some("1"), Some("close"))
    );
}

#[tokio::test]
async fn an_old_client_needs_no_host() {
    let reply = Reply::parse(&talk(stage().address, b"GET /old HTTP/1.0\r\n\r\n").await);
    assert!(reply.text().starts_with("GET /old "));
}

#[tokio::test]
async fn the_server_as_a_whole_tells_what_it_can_do() {
    let reply = stage().ask("OPTIONS", "*", &[], "").await;
    assert_eq!((reply.status, reply.header("allow")), (204, Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")));
}
