//! Clients of HTTP/2 that cost more than they pay for: they are told to go, and nobody beside them notices.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM_AND_HEADERS: u8 = 5;
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// `GET / HTTP/2` for the shop, without compression of names (RFC 7541, appendix A).
fn request_head() -> Vec<u8> {
    let host = b"shop.localhost";
    [&[0x82, 0x86, 0x84, 0x41, host.len() as u8][..], host].concat()
}

/// Reads until the connection ends. The reason that was given, if any.
async fn told_to_go(stream: &mut TcpStream) -> Option<u32> {
    let mut all = Vec::new();
    // A reset may overtake the rest.
    let _ = timeout(SOON, stream.read_to_end(&mut all)).await.expect("the connection is ended");
    let mut rest = &all[..];
    while rest.len() >= 9 {
        let len = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
        if rest[3] == GOAWAY && rest.len() >= 17 {
            return Some(u32::from_be_bytes(rest[13..17].try_into().unwrap()));
        }
        rest = rest.get(9 + len..).unwrap_or_default();
    }
    None
}

async fn flooded(frames: Vec<u8>) -> Option<u32> {
    let stage = Stage::new(vec![function("/never", "never"), function("/*", "tell")]);
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let write = async {
        writer.write_all(&begin).await.unwrap();
        // It may be ended in the middle of it.
        let _ = writer.write_all(&frames).await;
    };
    // Read beside it: who does not read is another kind of client.
    let mut first = [0; 9];
    let read = async {
        reader.read_exact(&mut first).await.unwrap();
    };
    tokio::join!(write, read);
    let len = u32::from_be_bytes([0, first[0], first[1], first[2]]) as usize;
    stream.read_exact(&mut vec![0; len]).await.unwrap();
    let beside = stage.get("/x").await;
    assert_eq!(beside.status, 200, "who is beside it is served");
    told_to_go(&mut stream).await
}

#[tokio::test]
async fn streams_that_are_taken_back_at_once_end_the_connection() {
    let one = |nth: u32| {
        let stream = nth * 2 + 1;
        [
            frame(HEADERS, END_STREAM_AND_HEADERS, stream, &request_head()),
            frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()),
        ]
        .concat()
    };
    let reason = flooded((0..5000).flat_map(one).collect()).await;
    assert_eq!(reason, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_head_without_an_end_ends_the_connection() {
    let mut frames = frame(HEADERS, 1, 1, &request_head());
    for _ in 0..10_000 {
        // A literal of a name and a value that is not kept.
        let field = [&[0, 1, b'x', 100][..], &[b'y'; 100]].concat();
        frames.extend(frame(CONTINUATION, 0, 1, &field));
    }
    assert!(flooded(frames).await.is_some_and(|reason| reason != 0));
}

#[tokio::test]
async fn pings_without_end_are_answered_no_faster_than_they_are_read() {
    // 100,000 answers are 1.7 MB: they must not pile up, and the connection is alive after them.
    let stage = Stage::new(vec![function("/*", "tell")]);
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
        for _ in 0..100_000 {
            writer.write_all(&frame(PING, 0, 0, &[7; 8])).await.unwrap();
        }
    };
    let read = async {
        let (mut pongs, mut head) = (0, [0; 9]);
        while pongs < 100_000 {
            reader.read_exact(&mut head).await.unwrap();
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            reader.read_exact(&mut vec![0; len]).await.unwrap();
            pongs += usize::from(head[3] == PING);
        }
    };
    timeout(SOON, async { tokio::join!(write, read) }).await.expect("all are answered");
}
