use std::sync::Arc;
use std::sync::atomic::Ordering;

use ringway_catalog::nodes_for;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::stage::*;

/// What the instance sees of a request that went through two nodes.
const SEEN: &str = "\
GET /x?y HTTP/1.1
host: shop.localhost
via: 1.1 ringway
via: 1.1 ringway
x-forwarded-for: 127.0.0.1
x-forwarded-host: shop.localhost
x-forwarded-proto: http
x-request-id: abc";

/// Two nodes; the service is placed on the second.
fn pair() -> (Stage, Stage) {
    let net = Arc::new(Net::default());
    let mut routes = service("/api/*");
    routes.strip = true;
    let catalog = catalog(vec![routes, service("/*")], &[1, 2]);
    let placed = nodes_for(&catalog, |_| true, "shop", "web", 1)[0];
    let other = if placed == node_id(1) { 2 } else { 1 };
    let here = Stage::node(other, catalog.clone(), &net, |_| {});
    let there = Stage::node(3 - other, catalog, &net, |_| {});
    (here, there)
}

async fn noting() -> (std::net::SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = mpsc::unbounded_channel();
    let address = upstream(move |mut stream, _| {
        let tell = tell.clone();
        async move {
            loop {
                let head = read_head(&mut stream).await;
                tell.send(head).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            }
        }
    })
    .await;
    (address, told)
}

#[tokio::test]
async fn any_node_serves_any_app() {
    let (here, there) = pair();
    let (address, mut told) = noting().await;
    there.instance("web", address);
    for _ in 0..2 {
        let reply = here.get_with("/api/x?y", &["X-Request-Id: abc", "X-Forwarded-For: 6.6.6.6"]).await;
        assert_eq!((reply.status, reply.text(), reply.header("x-request-id")), (200, "ok", Some("abc")));
        let head = told.recv().await.unwrap();
        let mut lines: Vec<&str> =
            head.lines().filter(|line| !line.is_empty() && !line.starts_with("traceparent")).collect();
        lines[1..].sort_unstable();
        assert_eq!(lines.join("\n"), SEEN);
    }
    assert_eq!(here.app.leases.load(Ordering::SeqCst), 0);
    assert_eq!(there.app.leases.load(Ordering::SeqCst), 2);
    let counted = (here.front.requests_total(), there.front.requests_total());
    assert_eq!(counted, (2, 0), "a request is counted where it came in");
}

#[tokio::test]
async fn a_request_is_forwarded_once_only() {
    let (here, there) = pair();
    // The one it is forwarded to has no instance either: it says so instead of passing it on.
    assert_eq!(here.get("/").await.status, 503);
    assert_eq!((here.app.leases.load(Ordering::SeqCst), there.app.leases.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test]
async fn when_the_placed_node_is_gone_the_next_one_takes_over() {
    let net = Arc::new(Net::default());
    let catalog = catalog(vec![service("/*")], &[1, 2]);
    let placed = nodes_for(&catalog, |_| true, "shop", "web", 1)[0];
    let other = if placed == node_id(1) { 2 } else { 1 };
    let here = Stage::node(other, catalog, &net, |_| {});
    let (address, _told) = noting().await;
    here.instance("web", address);
    let reply = here.ask("POST", "/", &["Content-Length: 4"], "body").await;
    assert_eq!(reply.text(), "ok", "the body was not lost with the first try");
    assert_eq!(*here.membership.reported.lock().unwrap(), [placed]);
}

#[tokio::test]
async fn a_request_that_changes_nothing_survives_the_node_it_was_sent_to() {
    let net = Arc::new(Net::default());
    let catalog = catalog(vec![service("/*")], &[1, 2]);
    let placed = nodes_for(&catalog, |_| true, "shop", "web", 1)[0];
    let (here, there) = if placed == node_id(1) { (2, 1) } else { (1, 2) };
    let here = Stage::node(here, catalog.clone(), &net, |_| {});
    let there = Stage::node(there, catalog, &net, |_| {});
    let (address, _told) = noting().await;
    here.instance("web", address);
    let front = there.front.clone();
    // It dies with the request in its hands.
    let dying = upstream(move |mut stream, _| {
        let front = front.clone();
        async move {
            read_head(&mut stream).await;
            front.stop(std::time::Duration::ZERO).await;
        }
    })
    .await;
    there.instance("web", dying);
    assert_eq!(here.get("/").await.text(), "ok");
    assert_eq!(*here.membership.reported.lock().unwrap(), [placed]);
}

#[tokio::test]
async fn an_app_that_breaks_its_answer_starts_no_instance_on_a_node_that_is_to_have_none() {
    let (spare, placed) = pair();
    let closing = upstream(|mut stream, _| async move { drop(read_head(&mut stream).await) }).await;
    let (fine, _told) = noting().await;
    placed.instance("web", closing);
    spare.instance("web", fine);
    for asked in [&placed, &spare] {
        assert_eq!(asked.get("/").await.status, 502);
    }
    assert_eq!((placed.app.leases.load(Ordering::SeqCst), spare.app.leases.load(Ordering::SeqCst)), (2, 0));
    assert!(spare.membership.reported.lock().unwrap().is_empty(), "a 502 is an answer");
}

#[tokio::test]
async fn an_app_that_does_not_start_is_not_started_on_a_node_that_is_to_have_none() {
    let (spare, placed) = pair();
    let (fine, _told) = noting().await;
    spare.instance("web", fine);
    assert_eq!(placed.get("/").await.status, 503);
    assert_eq!(spare.app.leases.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_node_is_not_blamed_for_an_answer_that_its_app_broke_off() {
    let (here, there) = pair();
    let cut = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
    })
    .await;
    there.instance("web", cut);
    assert_eq!(here.get("/").await.text(), "half");
    assert_eq!(there.app.failed.load(Ordering::SeqCst), 1);
    assert!(here.membership.reported.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_is_blamed_for_a_body_that_the_client_broke_off() {
    let (here, there) = pair();
    let (address, _told) = noting().await;
    there.instance("web", address);
    here.ask("POST", "/", &["Transfer-Encoding: chunked"], "2\r\nok\r\nzz\r\n\r\n").await;
    assert!(here.membership.reported.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_websocket_goes_through_two_nodes() {
    let (here, there) = pair();
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await
            .unwrap();
        let said = read_until(&mut stream, "\n").await;
        stream.write_all(said.as_bytes()).await.unwrap();
    })
    .await;
    there.instance("web", address);
    let mut client = TcpStream::connect(here.address).await.unwrap();
    client
        .write_all(b"GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await
        .unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 101 "));
    client.write_all(b"\x01echo\n").await.unwrap();
    assert_eq!(read_until(&mut client, "\n").await, "\x01echo\n");
}
