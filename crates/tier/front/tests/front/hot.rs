use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::*;

fn stage() -> Stage {
    let stage = Stage::new(vec![files("/*"), function("/f", "tell")]);
    stage.telemetry.is_off.store(true, Ordering::Relaxed);
    stage
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
}

/// One answer with a length on a connection that stays.
async fn answer(client: &mut TcpStream) -> Reply {
    let head = read_head(client).await;
    let mut reply = Reply::parse(head.as_bytes());
    let len = reply.header("content-length").expect("a length").parse().unwrap();
    reply.body = vec![0; len];
    timeout(SOON, client.read_exact(&mut reply.body)).await.unwrap().unwrap();
    reply
}

/// Without what differs from one answer to the next, and in any order.
fn constant(reply: &Reply) -> Vec<String> {
    let differs = |line: &&str| line.starts_with("date:") || line.starts_with("x-request-id:");
    let mut lines: Vec<String> = reply.head.lines().filter(|line| !differs(line)).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn what_is_asked_for_again_is_answered_from_memory_in_the_same_words() {
    let stage = stage();
    for (name, len) in [("small.txt", 100), ("large.bin", 64 << 10)] {
        stage.write(&format!("public/{name}"), vec![b'x'; len]);
        let mut client = TcpStream::connect(stage.address).await.unwrap();
        let (mut replies, mut ids) = (Vec::new(), std::collections::HashSet::new());
        for round in 0..6 {
            // The third answer has been kept: it needs no file.
            if round == 3 {
                std::fs::remove_file(stage.dir.join("public").join(name)).unwrap();
            }
            client.write_all(ask(&format!("/{name}")).as_bytes()).await.unwrap();
            let reply = answer(&mut client).await;
            assert_eq!((reply.status, reply.body.len()), (200, len));
            assert!(ids.insert(reply.header("x-request-id").unwrap().to_owned()) && reply.header("date").is_some());
            replies.push(constant(&reply));
        }
        assert_eq!(replies[5], replies[0]);
        let conditional = format!("GET /{name} HTTP/1.1\r\nHost: shop.localhost\r\nIf-None-Match: \"x\"\r\n\r\n");
        client.write_all(conditional.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut client).await.status, 404, "what is not plain goes the usual way");
    }
    assert_eq!(stage.front.requests_total(), 14, "all are counted");
}

#[tokio::test]
async fn a_new_release_is_seen_at_once() {
    let stage = stage();
    stage.write("public/a.txt", "old");
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    for _ in 0..4 {
        client.write_all(ask("/a.txt").as_bytes()).await.unwrap();
        assert_eq!(answer(&mut client).await.text(), "old");
    }
    stage.write("public/a.txt", "new");
    stage.control.0.send(Arc::new(catalog(vec![files("/*"), function("/new", "tell")], &[]))).unwrap();
    while stage.get("/new").await.status != 200 {}
    client.write_all(ask("/a.txt").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut client).await.text(), "new");
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order_hot_or_not() {
    let stage = stage();
    for (name, len) in [("a", 10), ("b", 20_000), ("c", 64 << 10)] {
        stage.write(&format!("public/{name}.bin"), vec![name.as_bytes()[0]; len]);
    }
    let paths = ["/a.bin", "/b.bin", "/f", "/c.bin", "/a.bin", "/none.bin", "/b.bin"];
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    let (mut reader, mut writer) = client.split();
    let asked: String = paths.iter().cycle().take(700).map(|path| ask(path)).collect();
    let write = async { writer.write_all(asked.as_bytes()).await.unwrap() };
    let read = async {
        let mut all = Vec::new();
        for path in paths.iter().cycle().take(700) {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(reader.read_u8().await.unwrap());
            }
            let reply = Reply::parse(&head);
            let len: usize = reply.header("content-length").unwrap().parse().unwrap();
            all.resize(len, 0);
            reader.read_exact(&mut all).await.unwrap();
            let expected = match *path {
                "/f" => (200, b'G'),
                "/none.bin" => (404, b'4'),
                name => (200, name.as_bytes()[1]),
            };
            assert_eq!((reply.status, all[0]), expected);
        }
    };
    timeout(SOON, async { tokio::join!(write, read) }).await.unwrap();
}

#[tokio::test]
async fn encodings_and_hosts_are_told_apart() {
    let stage = stage();
    stage.write("public/a.txt", "x".repeat(5000));
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    for _ in 0..4 {
        for (encoding, expected) in [("gzip", Some("gzip")), ("identity", None), ("br", Some("br"))] {
            let text = format!("GET /a.txt HTTP/1.1\r\nHost: shop.localhost\r\nAccept-Encoding: {encoding}\r\n\r\n");
            client.write_all(text.as_bytes()).await.unwrap();
            let reply = answer(&mut client).await;
            assert_eq!(reply.header("content-encoding"), expected);
            assert_eq!(reply.body.len() == 5000, expected.is_none());
        }
    }
}
