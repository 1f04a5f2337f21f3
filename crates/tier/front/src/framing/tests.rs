use expect_test::{Expect, expect};

use super::*;

const LIMITS: HeadLimits = HeadLimits { len_max: 400, target_len_max: 200, headers_max: 5 };

/// Feeds a connection's bytes, `piece` at a time, and writes down what passed.
fn trace(bytes: &str, piece: usize) -> String {
    let mut framing = Framing::new(LIMITS);
    let (mut raw, mut told) = (Vec::new(), String::new());
    for part in bytes.as_bytes().chunks(piece) {
        raw.extend_from_slice(part);
        loop {
            let step = match framing.next() {
                Next::Upgrade => {
                    framing.upgraded(false);
                    told.push_str("upgrade refused\n");
                    continue;
                }
                Next::Opaque(left) => {
                    let bytes = (raw.len() as u64).min(left) as usize;
                    framing.passed(bytes);
                    if bytes > 0 { Step::Pass(bytes) } else { Step::More }
                }
                Next::Checked => match framing.check(&raw) {
                    Ok(step) => step,
                    Err(fault) => return format!("{told}{} {fault}\n", fault.status().as_u16()),
                },
            };
            let Step::Pass(bytes) = step else { break };
            let was_head = raw.starts_with(b"GET") || raw.starts_with(b"POST");
            told.push_str(if was_head { "head\n" } else { "" });
            raw.drain(..bytes);
        }
    }
    told + if framing.in_head() && raw.is_empty() { "at rest\n" } else { "waiting\n" }
}

fn check(bytes: &str, expected: Expect) {
    expected.assert_eq(&trace(bytes, usize::MAX));
    assert_eq!(trace(bytes, 1), trace(bytes, usize::MAX), "byte by byte it is the same");
}

#[test]
fn requests_follow_one_another() {
    check(
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        expect![[r#"
        head
        head
        at rest
    "#]],
    );
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
        expect![[r#"
        head
        head
        at rest
    "#]],
    );
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        expect![[r#"
            head
            head
            at rest
        "#]],
    );
    check(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        expect![[r#"
        head
        upgrade refused
        at rest
    "#]],
    );
}

#[test]
fn heads_that_two_parties_could_read_differently_are_refused() {
    let cases = [
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /é HTTP/1.1\r\nHost: a\r\n\r\n",
        "nonsense\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ];
    let told: String = cases.iter().map(|case| trace(case, usize::MAX).replace("head\n", "")).collect();
    expect![[r#"
        400 the request is malformed: there are two Content-Length headers
        400 the request is malformed: there are two Content-Length headers
        400 the request is malformed: Content-Length is not a number
        400 the request is malformed: Content-Length is not a number
        400 the request is malformed: there are both Content-Length and Transfer-Encoding
        400 the request is malformed: there are both Content-Length and Transfer-Encoding
        400 the request is malformed: Transfer-Encoding is something else than chunked
        400 the request is malformed: Transfer-Encoding is something else than chunked
        400 the request is malformed: a header's name is not a word
        400 the request is malformed: HTTP/1.0 has no Transfer-Encoding
        400 the request is malformed: a header is folded over two lines
        400 the request is malformed: a header has control characters
        400 the request is malformed: a line ends without a carriage return
        400 the request is malformed: there must be one Host header
        400 the request is malformed: there must be one Host header
        400 the request is malformed: the first line is not a method, an address and a version
        505 this version of HTTP is not spoken here
        400 the request is malformed: the address has bytes that must be percent-encoded
        400 the request is malformed: the first line is not a method, an address and a version
        400 the request is malformed: the body's chunks are malformed
        400 the request is malformed: the body's chunks are malformed
        400 the request is malformed: the body's chunks are malformed
        400 the request is malformed: the body's chunks are malformed
    "#]]
    .assert_eq(&told);
}

#[test]
fn heads_have_limits() {
    let long = "x".repeat(300);
    check(
        &format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        expect![[r#"
        414 the address is longer than the limit of 200 bytes
    "#]],
    );
    check(
        &format!("GET / HTTP/1.1\r\nHost: a\r\nA: {long}\r\nB: {long}\r\n\r\n"),
        expect![[r#"
        431 the request's headers are larger than the limit
    "#]],
    );
    check(
        &format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(6)),
        expect![[r#"
        431 the request's headers are larger than the limit
    "#]],
    );
}
