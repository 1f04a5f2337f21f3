use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::stage::*;

const EMPTY_OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// An instance that writes down the heads of its requests and answers nothing much.
async fn noting(stage: &Stage, answer: &'static [u8]) -> mpsc::UnboundedReceiver<String> {
    let (tell, told) = mpsc::unbounded_channel();
    let address = upstream(move |mut stream, number| {
        let tell = tell.clone();
        async move {
            loop {
                let head = read_head(&mut stream).await;
                tell.send(format!("connection {number}\n{head}")).unwrap();
                stream.write_all(answer).await.unwrap();
            }
        }
    })
    .await;
    stage.instance("web", address);
    told
}

fn sorted(head: &str) -> String {
    let mut lines: Vec<&str> = head.lines().filter(|line| !line.is_empty()).collect();
    lines[2..].sort_unstable();
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn an_instance_sees_the_request_without_what_was_meant_for_us() {
    let stage = Stage::new(vec![service("/*")]);
    let mut told = noting(&stage, EMPTY_OK).await;
    let spoofed = [
        "X-Forwarded-For: 6.6.6.6",
        "Ringway-Forwarded: me",
        "TE: trailers",
        "Keep-Alive: 5",
        "X-Request-Id: abc",
        "Forwarded: for=6.6.6.6",
    ];
    let trace = "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let reply =
        stage.get_with("/a%20b/../x?q=1".replace("/../x", "").as_str(), &[&spoofed[..], &[trace]].concat()).await;
    assert_eq!((reply.status, reply.header("x-request-id")), (200, Some("abc")));
    let head = sorted(&told.recv().await.unwrap());
    let (before, parent) = head.split_once("00-4bf92f3577b34da6a3ce929d0e0e4736-").unwrap();
    assert_ne!(&parent[..16], "00f067aa0ba902b7", "the parent is our own span");
    let head = format!("{before}TRACE{}", &parent[19..]);
    expect_test::expect![[r#"
        connection 0
        GET /a%20b?q=1 HTTP/1.1
        host: shop.localhost
        te: trailers
        traceparent: TRACE
        via: 1.1 ringway
        x-forwarded-for: 127.0.0.1
        x-forwarded-host: shop.localhost
        x-forwarded-proto: http
        x-request-id: abc
    "#]]
    .assert_eq(&head);
}

#[tokio::test]
async fn the_prefix_is_taken_off_where_the_route_says_so() {
    let mut strip = service("/api/*");
    strip.strip = true;
    let mut called = function("/f/*", "tell");
    called.strip = true;
    let stage = Stage::new(vec![strip, called, service("/*")]);
    let mut told = noting(&stage, EMPTY_OK).await;
    let mut lines = String::new();
    for path in ["/api/a?b", "/api", "/api/", "/apix"] {
        stage.get(path).await;
        lines += told.recv().await.unwrap().lines().nth(1).unwrap();
        lines += "\n";
    }
    lines += stage.get("/f/x?y").await.text().lines().next().unwrap();
    expect_test::expect![[r#"
        GET /a?b HTTP/1.1
        GET / HTTP/1.1
        GET / HTTP/1.1
        GET /apix HTTP/1.1
        GET /x?y mount=0 tls=false client=127.0.0.1 body=0"#]]
    .assert_eq(&lines);
}

#[tokio::test]
async fn functions_get_the_request_and_their_hop_by_hop_headers_end_here() {
    let stage = Stage::new(vec![function("/f/*", "tell")]);
    let reply = stage.ask("POST", "/f/x", &["Content-Length: 3"], "abc").await;
    assert!(reply.text().starts_with("POST /f/x mount=2 tls=false client=127.0.0.1 body=3\n"));
    assert!(reply.text().contains("x-forwarded-proto: http\n") && reply.text().contains("traceparent: 00-"));
    assert_eq!((reply.header("x-hop"), reply.header("x-end")), (None, Some("1")));
}

#[tokio::test]
async fn connections_to_instances_are_used_again() {
    let stage = Stage::new(vec![service("/*")]);
    let mut told =
        noting(&stage, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\nok").await;
    for _ in 0..3 {
        let reply = stage.get("/").await;
        assert_eq!((reply.text(), reply.header("x-hop"), reply.header("via")), ("ok", None, Some("1.1 ringway")));
        assert!(told.recv().await.unwrap().starts_with("connection 0\n"));
    }
    assert_eq!(stage.app.held.load(Ordering::SeqCst), 0, "no claim is left");
}

#[tokio::test]
async fn a_request_on_a_connection_that_the_instance_has_closed_is_sent_again() {
    let stage = Stage::new(vec![service("/*")]);
    let address = upstream(|mut stream, _| async move {
        // One answer a connection, without saying so.
        read_head(&mut stream).await;
        stream.write_all(EMPTY_OK).await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    stage.instance("web", address);
    for _ in 0..5 {
        assert_eq!(stage.get("/").await.status, 200);
    }
    assert_eq!(stage.app.failed.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn bodies_stream_in_both_directions_at_once() {
    let stage = Stage::new(vec![service("/*")]);
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        for _ in 0..3 {
            // Answers each piece before it gets the next.
            let piece = read_until(&mut stream, "!\r\n").await;
            let piece = piece.rsplit("\r\n").nth(1).unwrap();
            stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.unwrap();
        }
        read_until(&mut stream, "0\r\n\r\n").await;
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    })
    .await;
    stage.instance("web", address);
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    for (number, piece) in ["one!", "two!", "three!"].into_iter().enumerate() {
        client.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.unwrap();
        if number == 0 {
            read_head(&mut client).await;
        }
        assert!(read_until(&mut client, "!\r\n").await.ends_with(&format!("{piece}\r\n")));
    }
    client.write_all(b"0\r\n\r\n").await.unwrap();
    read_until(&mut client, "0\r\n\r\n").await;
}

#[tokio::test]
async fn a_websocket_goes_through_and_what_follows_a_refused_one_is_http() {
    let stage = Stage::new(vec![service("/*")]);
    let address = upstream(|mut stream, number| async move {
        let head = read_head(&mut stream).await;
        assert!(head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n"), "{head}");
        if number == 0 {
            return stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await.unwrap();
        }
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello\n";
        stream.write_all(agreed.as_bytes()).await.unwrap();
        let said = read_until(&mut stream, "\n").await;
        stream.write_all(said.to_uppercase().as_bytes()).await.unwrap();
    })
    .await;
    stage.instance("web", address);
    let asks = b"GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    client.write_all(asks).await.unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 403 "));
    client.write_all(asks).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("sec-websocket-accept: x\r\n"), "{head}");
    assert_eq!(read_until(&mut client, "\n").await, "hello\n");
    client.write_all(b"\x00 bare\rbytes\n").await.unwrap();
    assert_eq!(read_until(&mut client, "\n").await, "\x00 BARE\rBYTES\n");
    assert!(read_all(&mut client).await.is_empty(), "it ends when the instance ends it");
}

#[tokio::test]
async fn an_instance_that_fails_is_a_bad_gateway_and_is_told_on() {
    let stage = Stage::new(vec![service("/*")]);
    assert_eq!(stage.get("/").await.status, 503, "there is none");
    let (listener, nobody) = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        (listener.local_addr().unwrap(), listener)
    };
    drop(nobody);
    stage.instance("web", listener);
    assert_eq!(stage.get("/").await.status, 502);
    assert_eq!(stage.app.failed.load(Ordering::SeqCst), 1);
    stage.instance(
        "web",
        upstream(|mut stream, _| async move { stream.write_all(b"nonsense\r\n\r\n").await.unwrap() }).await,
    );
    let reply = stage.get("/").await;
    assert_eq!(reply.status, 502);
    assert!(!reply.text().contains("127.0.0.1"));
    assert_eq!(stage.app.held.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_app_that_does_not_answer_is_a_timeout() {
    let limit = Some(Duration::from_millis(200));
    let (mut slow, mut never) = (service("/*"), function("/f", "never"));
    (slow.timeout, never.timeout) = (limit, limit);
    let stage = Stage::new(vec![slow, never]);
    let (tell, mut told) = mpsc::unbounded_channel();
    let address = upstream(move |mut stream, _| {
        let tell = tell.clone();
        async move {
            read_head(&mut stream).await;
            let closed = stream.read_u8().await.is_err();
            tell.send(closed).unwrap();
        }
    })
    .await;
    stage.instance("web", address);
    assert_eq!(stage.get("/").await.status, 504);
    assert!(told.recv().await.unwrap(), "nobody works for it any more");
    assert_eq!(stage.get("/f").await.status, 504);
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let stage = Stage::new(vec![service("/*")]);
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart").await.unwrap();
    })
    .await;
    stage.instance("web", address);
    let reply = stage.get("/").await;
    assert_eq!((reply.text(), reply.header("content-length")), ("part", Some("100")));
    assert_eq!(stage.app.failed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_long_upload_is_not_a_timeout() {
    let mut route = service("/*");
    route.timeout = Some(Duration::from_millis(400));
    let stage = Stage::new(vec![route]);
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        read_until(&mut stream, "end").await;
        stream.write_all(EMPTY_OK).await.unwrap();
    })
    .await;
    stage.instance("web", address);
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\nContent-Length: 9\r\n\r\n")
        .await
        .unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(120));
    for byte in b"slow, end".chunks(1) {
        pace.tick().await;
        client.write_all(byte).await.unwrap();
    }
    assert_eq!(Reply::parse(&read_all(&mut client).await).status, 200);
}
