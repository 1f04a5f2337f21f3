//! Requests that go well.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::mpsc;

use crate::host::{Host, text};

#[tokio::test]
async fn a_component_answers() {
    let mut host = Host::new().await;
    let response = host.get("/hello").await.expect("component answers");
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(text(response).await, (200, "hello from a component\n".to_owned()));

    let (usage, error) = host.ended().await;
    assert_eq!(error, None);
    assert!(usage.fuel > 100 && usage.fuel < 1_000_000, "{usage:?}");
    assert!(usage.wall > Duration::ZERO, "{usage:?}");
    assert!(usage.memory_peak >= 64 * 1024 && usage.memory_peak <= crate::host::MEMORY, "{usage:?}");
}

#[tokio::test]
async fn the_same_request_costs_the_same_fuel() {
    let mut host = Host::new().await;
    host.get_text("/hello").await;
    host.get_text("/hello").await;
    assert_eq!(host.ended().await.0.fuel, host.ended().await.0.fuel);
}

#[tokio::test]
async fn every_request_gets_a_fresh_instance() {
    let host = Host::new().await;
    for _ in 0..10 {
        assert_eq!(host.get_text("/count").await.1, "1\n");
    }
}

#[tokio::test]
async fn a_body_comes_back_as_it_went_in() {
    let host = Host::new().await;
    let sent: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let request = Request::post("http://shop.test/echo").body(Full::new(Bytes::from(sent.clone())));
    let response = host.send(request.expect("request is valid")).await.expect("component answers");
    let received = response.into_body().collect().await.expect("body is whole").to_bytes();
    assert_eq!(received, sent);
}

/// The second piece is sent only after the first came back: a host that collected either body would wait for ever.
#[tokio::test]
async fn bodies_stream_both_ways() {
    let host = Host::new().await;
    let (input, pieces) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
    let body = StreamBody::new(stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces))));
    let request = Request::post("http://shop.test/echo").body(body).expect("request is valid");
    let mut output = host.send(request).await.expect("component answers").into_body();
    for piece in ["first", "second"] {
        input.send(Ok(Frame::data(piece.into()))).await.expect("component reads");
        let frame = output.frame().await.expect("body goes on").expect("body is well");
        assert_eq!(frame.into_data().expect("frame is data"), piece);
    }
    drop(input);
    assert!(output.frame().await.is_none());
}

#[tokio::test]
async fn a_response_in_pieces_arrives_whole() {
    let host = Host::new().await;
    let (_, body) = host.get_text("/stream?1000").await;
    assert_eq!(body.lines().count(), 1000);
    assert_eq!(body.lines().last(), Some("piece 1000"));
}

#[tokio::test]
async fn requests_beyond_the_pool_wait_for_their_turn() {
    let host = Host::new().await;
    let answers = futures_util::future::join_all((0..40).map(|_| host.get_text("/count"))).await;
    assert!(answers.iter().all(|answer| *answer == (200, "1\n".to_owned())));
}

#[tokio::test]
async fn a_request_without_a_usable_host_is_served() {
    let host = Host::new().await;
    let no_host = Request::get("/headers").body(String::new());
    let odd_host = Request::get("/headers").header("host", &b"sh\xf6p"[..]).body(String::new());
    for request in [no_host, odd_host] {
        let response = host.send(request.expect("request is valid")).await.expect("component answers");
        assert_eq!(text(response).await, (200, "authority: localhost\n".to_owned()));
    }
}

#[tokio::test]
async fn request_headers_arrive() {
    let host = Host::new().await;
    let request = Request::get("/headers").header("host", "shop.test").header("x-basket", "3").body(String::new());
    let (_, body) = text(host.send(request.expect("request is valid")).await.expect("component answers")).await;
    assert_eq!(body, "authority: shop.test\nx-basket: 3\n");
}
