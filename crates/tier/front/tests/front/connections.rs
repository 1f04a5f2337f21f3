//! What a connection of HTTP/1.1 has to bear.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::stage::*;

#[tokio::test]
async fn a_client_that_asks_is_told_to_go_on_only_when_its_body_is_wanted() {
    let stage = Stage::new(vec![function("/*", "tell")]);
    let head = |length: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    client.write_all(head("5").as_bytes()).await.unwrap();
    assert_eq!(read_head(&mut client).await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"12345").await.unwrap();
    assert!(read_until(&mut client, "body=5\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    let refused = talk(stage.address, head("10737418240").as_bytes()).await;
    assert_eq!(Reply::parse(&refused).status, 413, "nobody told it to go on");
}

#[tokio::test]
async fn a_body_that_nobody_wanted_does_not_become_the_next_request() {
    let stage = Stage::new(vec![files("/static/*"), function("/*", "tell")]);
    let body = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100);
    let text = format!(
        "POST /static/x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let answers = String::from_utf8(talk(stage.address, text.as_bytes()).await).unwrap();
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|part| &part[..3]).collect();
    assert_eq!(statuses, ["405", "200"]);
    assert!(answers.contains("GET /next ") && !answers.contains("smuggled"));
}

#[tokio::test]
async fn the_work_ends_when_the_client_is_gone() {
    let stage = Stage::new(vec![service("/*")]);
    let (tell, mut told) = mpsc::unbounded_channel();
    let address = upstream(move |mut stream, _| {
        let tell = tell.clone();
        async move {
            read_head(&mut stream).await;
            tell.send("asked").unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            tell.send("gone").unwrap();
        }
    })
    .await;
    stage.instance("web", address);
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some("asked"));
    drop(client);
    assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some("gone"));
    // Its claim on the instance ends with it.
    while stage.app.held.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn early_hints_of_an_app_reach_the_client_before_its_answer() {
    let stage = Stage::new(vec![service("/*")]);
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let gone = Arc::new(std::sync::Mutex::new(Some(gone)));
    let address = upstream(move |mut stream, _| {
        let gone = gone.lock().unwrap().take();
        async move {
            read_head(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\n\r\n")
                .await
                .unwrap();
            if let Some(gone) = gone {
                gone.await.unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
    })
    .await;
    stage.instance("web", address);
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(read_head(&mut client).await, "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n");
    go.send(()).unwrap();
    assert!(read_until(&mut client, "\r\n\r\nok").await.starts_with("HTTP/1.1 200 OK\r\n"));
    let old = talk(stage.address, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert!(!String::from_utf8(old).unwrap().contains("103"), "an old client does not know of them");
}

#[tokio::test]
async fn trailers_of_an_app_come_behind_its_body() {
    let stage = Stage::new(vec![service("/*")]);
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    stage.instance("web", address);
    let answer = talk(stage.address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTE: trailers\r\n\r\n").await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn an_old_client_gets_a_body_of_unknown_length_until_the_end() {
    let stage = Stage::new(vec![service("/*")]);
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await.unwrap();
    })
    .await;
    stage.instance("web", address);
    let reply =
        Reply::parse(&talk(stage.address, b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").await);
    assert_eq!(
        (reply.text(), reply.header("transfer-encoding"), reply.header("connection")),
        ("abc", None, Some("close"))
    );
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_loses_it() {
    let stage = Stage::with(vec![files("/*")], |config| {
        config.limits.body_idle_timeout = std::time::Duration::from_millis(200);
    });
    stage.write("public/large.bin", vec![0; 32 << 20]);
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    client.write_all(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut first = [0; 1];
    client.read_exact(&mut first).await.unwrap();
    while stage.front.connections() > 0 {
        tokio::task::yield_now().await;
    }
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert!(rest.len() < 32 << 20);
}

#[tokio::test]
async fn an_instance_that_refuses_a_body_in_the_middle_is_still_heard() {
    let stage = Stage::new(vec![service("/*")]);
    let address = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        let answer = "HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig";
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // Until the front end has given up sending.
        while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    stage.instance("web", address);
    let mut client = TcpStream::connect(stage.address).await.unwrap();
    let (mut reader, mut writer) = client.split();
    let done = AtomicBool::new(false);
    let write = async {
        writer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n").await.unwrap();
        while !done.load(Ordering::Relaxed) && writer.write_all(&[b'x'; 8192]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let read = async {
        let mut seen = Vec::new();
        while !seen.ends_with(b"big") {
            seen.push(reader.read_u8().await.unwrap());
        }
        done.store(true, Ordering::Relaxed);
        String::from_utf8(seen).unwrap()
    };
    let ((), answer) = timeout(SOON, async { tokio::join!(write, read) }).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn an_empty_line_before_a_request_is_passed_over() {
    let stage = Stage::new(vec![function("/*", "tell")]);
    let text = "\r\nPOST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = String::from_utf8(talk(stage.address, text.as_bytes()).await).unwrap();
    assert!(answers.contains("POST /a ") && answers.contains("GET /b "), "{answers}");
}

#[tokio::test]
async fn the_host_of_an_absolute_target_goes_before_the_field() {
    let stage = Stage::new(vec![function("/*", "tell")]);
    let text = "GET http://shop.localhost/x?y HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n";
    let reply = Reply::parse(&talk(stage.address, text.as_bytes()).await);
    assert!(reply.text().starts_with("GET /x?y "), "{}", reply.text());
    assert!(reply.text().contains("x-forwarded-host: shop.localhost\n"), "{}", reply.text());
}
