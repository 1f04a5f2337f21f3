use std::sync::Arc;
use std::time::Duration;

use ringway_front::{Config, Deps, Front};
use ringway_ports::{NoTelemetry, SpanKind};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::stage::*;

const SHOP: &str = "GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";

#[tokio::test]
async fn a_panic_costs_one_request() {
    let stage = Stage::new(vec![function("/panic", "panic"), function("/*", "tell")]);
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    client
        .write_all(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let answers = String::from_utf8(read_all(&mut client).await).unwrap();
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|part| &part[..3]).collect();
    assert_eq!(statuses, ["500", "200"]);
}

#[tokio::test]
async fn stopping_finishes_the_running_answer_and_takes_no_new_connections() {
    let stage = Stage::new(vec![service("/*")]);
    let (go, gone) = oneshot::channel::<()>();
    let gone = Arc::new(std::sync::Mutex::new(Some(gone)));
    let address = upstream(move |mut stream, _| {
        let gone = gone.lock().unwrap().take().unwrap();
        async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await.unwrap();
            gone.await.unwrap();
            stream.write_all(b"done").await.unwrap();
        }
    })
    .await;
    stage.instance("web", address);
    let mut idle = TcpStream::connect(stage.address).await.unwrap();
    let mut busy = TcpStream::connect(stage.address).await.unwrap();
    busy.write_all(SHOP.as_bytes()).await.unwrap();
    read_until(&mut busy, "half").await;
    let front = stage.front.clone();
    let stopping = tokio::spawn(async move { front.stop(SOON).await });
    assert!(read_all(&mut idle).await.is_empty(), "who asks for nothing is let go at once");
    assert!(!stopping.is_finished());
    assert!(TcpStream::connect(stage.address).await.is_err(), "nobody listens any more");
    go.send(()).unwrap();
    assert_eq!(read_all(&mut busy).await, b"done");
    assert_eq!(stopping.await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_not_done_by_the_deadline_is_cut_off() {
    let stage = Stage::new(vec![function("/*", "never")]);
    let mut busy = TcpStream::connect(stage.address).await.unwrap();
    busy.write_all(SHOP.as_bytes()).await.unwrap();
    while stage.front.requests_total() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.front.stop(Duration::from_millis(100)).await, 1);
    assert!(read_all(&mut busy).await.is_empty());
}

#[tokio::test]
async fn a_new_catalog_is_seen_without_a_restart() {
    let stage = Stage::new(vec![]);
    assert_eq!(stage.get("/").await.status, 404);
    stage.control.0.send(Arc::new(catalog(vec![function("/*", "tell")], &[]))).unwrap();
    while stage.get("/").await.status != 200 {}
}

#[tokio::test]
async fn a_host_that_nobody_answers_for_is_told_what_to_do() {
    let stage = Stage::new(vec![]);
    let mut two = catalog(vec![], &[]);
    let mut blog = two.apps["shop"].clone();
    blog.name = "blog".to_owned();
    two.apps.insert("blog".to_owned(), blog);
    stage.control.0.send(Arc::new(two)).unwrap();
    let text = loop {
        let reply = Reply::parse(
            &talk(stage.address, b"GET / HTTP/1.1\r\nHost: x.example:80\r\nConnection: close\r\n\r\n").await,
        );
        if reply.text().contains("no app") {
            break reply.text().to_owned();
        }
    };
    assert!(
        text.starts_with("404 Not Found\nno app answers for host x.example; `ringway status` lists them\n"),
        "{text}"
    );
    assert!(!text.contains("shop") && !text.contains("blog"));
}

#[tokio::test]
async fn a_taken_address_is_refused_and_threads_share_one() {
    let stage = Stage::with(vec![function("/*", "tell")], |config| config.threads = 3);
    for _ in 0..20 {
        assert_eq!(stage.get("/").await.status, 200);
    }
    let other = Stage::new(vec![]);
    let deps = Deps {
        invoke: other.app.clone(),
        peers: other.peers(),
        membership: other.membership.clone(),
        control: other.control.clone(),
        telemetry: Arc::new(NoTelemetry),
        cache: None,
    };
    let refused = Front::new(Config::plain(stage.address), deps).err().unwrap().to_string();
    assert!(refused.contains("another process uses it") && refused.contains("--http"), "{refused}");
}

#[tokio::test]
async fn traces_tell_of_the_request_and_of_each_try() {
    let stage = Stage::new(vec![service("/api/*")]);
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    stage.instance("web", address);
    stage.get_with("/api/x", &["Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]).await;
    let spans = stage.telemetry.spans(2).await;
    let (attempt, request) = (&spans[0], &spans[1]);
    assert_eq!(
        (request.name.as_str(), request.kind, request.parent_span_id),
        ("GET /api/*", SpanKind::Server, 0x00f0_67aa_0ba9_02b7)
    );
    assert_eq!(
        (attempt.name.as_str(), attempt.kind, attempt.parent_span_id),
        ("GET web", SpanKind::Client, request.span_id)
    );
    assert_eq!(request.trace_id, attempt.trace_id);
    assert!(request.attributes.contains(&("http.response.status_code", "201".to_owned())));
    assert!(attempt.attributes.contains(&("ringway.instance", "shop/web#1".to_owned())));
}

#[tokio::test]
async fn a_request_whose_client_goes_away_is_given_up_and_counted() {
    let stage = Stage::new(vec![function("/*", "never")]);
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    client.write_all(SHOP.as_bytes()).await.unwrap();
    while stage.front.requests_total() == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    let spans = stage.telemetry.spans(1).await;
    assert!(spans[0].attributes.contains(&("http.response.status_code", "499".to_owned())));
}
