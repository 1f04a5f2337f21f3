use super::*;

const LIMITS: HeadLimits = HeadLimits { len_max: 400, target_len_max: 200, fields_max: 5 };

fn read(text: &str) -> Result<String, BadHead> {
    let mut fields = Vec::new();
    let end = HeadEnd::default().find(text.as_bytes(), &LIMITS)?.ok_or(BadHead::Malformed("unfinished"))?;
    let head = RequestHead::parse(&text.as_bytes()[..end], &LIMITS, &mut fields)?;
    let words = [
        (head.keeps_alive, "keep"),
        (head.upgrades, "upgrade"),
        (head.expects_continue, "continue"),
        (head.is_plain, "plain"),
    ];
    let mut told = format!("{} {:?}", String::from_utf8_lossy(head.target), head.body);
    words.iter().filter(|(is_so, _)| *is_so).for_each(|(_, word)| told.push_str(&format!(" {word}")));
    for field in &fields {
        told.push_str(&format!(" [{}={}]", &text[field.name()], &text[field.value()]));
    }
    Ok(told)
}

fn get(fields: &str) -> Result<String, BadHead> {
    read(&format!("GET /a HTTP/1.1\r\nHost: b\r\n{fields}\r\n"))
}

fn malformed(text: &str) -> &'static str {
    match read(text) {
        Err(BadHead::Malformed(why)) => why,
        other => panic!("{text:?} is {other:?}"),
    }
}

#[test]
fn a_head_is_read_with_its_fields() {
    assert_eq!(get("Accept: */*\r\nX:\r\n").unwrap(), "/a None keep plain [Host=b] [Accept=*/*] [X=]");
    assert_eq!(read("GET / HTTP/1.0\r\n\r\n").unwrap(), "/ None");
    assert_eq!(get("X: \t padded \t\r\n").unwrap(), "/a None keep plain [Host=b] [X=padded]");
}

#[test]
fn what_could_change_the_answer_makes_a_request_not_plain() {
    for field in [
        "Range: bytes=0-1",
        "If-None-Match: \"a\"",
        "If-Match: *",
        "If-Range: \"a\"",
        "If-Modified-Since: x",
        "If-Unmodified-Since: x",
        "Authorization: x",
        "Cache-Control: no-cache",
        "Pragma: no-cache",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "TE: trailers",
        "Connection: close",
        "Connection: keep-alive, x",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "X-Request-Id: 1",
        "traceparent: x",
        "X-Forwarded-For: 1.2.3.4",
        "ringway-forwarded: x",
        "Accept-Encoding: br\r\nAccept-Encoding: gzip",
    ] {
        for field in [field.to_owned(), field.to_lowercase(), field.to_uppercase()] {
            assert!(!get(&format!("{field}\r\n")).unwrap().contains("plain"), "{field}");
        }
    }
    assert!(get("Connection: Keep-Alive\r\nAccept-Encoding: br\r\nCookie: a=b\r\n").unwrap().contains("plain"));
    assert!(!read("HEAD /a HTTP/1.1\r\nHost: b\r\n\r\n").unwrap().contains("plain"));
    assert!(!read("GET /a HTTP/1.0\r\nHost: b\r\nConnection: keep-alive\r\n\r\n").unwrap().contains("plain"));
}

#[test]
fn the_body_and_the_connection_are_told() {
    assert!(get("Content-Length: 12\r\n").unwrap().starts_with("/a Known(12) keep"));
    assert!(get("Content-Length: 0\r\n").unwrap().starts_with("/a None keep"));
    assert!(
        get("Transfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n").unwrap().starts_with("/a Chunked keep continue")
    );
    assert!(get("Connection: close, keep-alive\r\n").unwrap().starts_with("/a None ["));
    assert!(get("Connection: keep-alive, close\r\n").unwrap().starts_with("/a None ["));
    assert!(read("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").unwrap().starts_with("/ None keep"));
    assert!(read("GET / HTTP/1.0\r\nUpgrade: x\r\n\r\n").unwrap().starts_with("/ None ["));
    assert!(get("Connection: Upgrade\r\nUpgrade: websocket\r\n").unwrap().starts_with("/a None keep upgrade ["));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    for (text, why) in [
        (post("Content-Length: 1\r\nContent-Length: 1"), "two Content-Length"),
        (post("Content-Length: 1\r\nTransfer-Encoding: chunked"), "both"),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 1"), "both"),
        (post("Transfer-Encoding: gzip, chunked"), "else than chunked"),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), "else than chunked"),
        (post("Transfer-Encoding: xchunked"), "else than chunked"),
        (post("Transfer-Encoding : chunked"), "name is not a word"),
        (post("Content-Length: +1"), "not a number"),
        (post("Content-Length: 1, 1"), "not a number"),
        (post("Content-Length: 0x1"), "not a number"),
        (post("Content-Length:"), "not a number"),
        (post("Content-Length: 1000000000000000000"), "not a number"),
        (post("X: a\r\n b"), "folded"),
        (post("X: a\nY: b"), "carriage return"),
        (post("X: a\rY: b"), "control characters"),
        (post("X: a\0"), "control characters"),
        (post("X"), "no colon"),
        (post(": x"), "not a word"),
        (post("X Y: x"), "not a word"),
        (post("Host: b"), "one Host"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "one Host"),
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), "HTTP/1.0 has no"),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "first line"),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n".to_owned(), "first line"),
        ("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "first line"),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "method"),
        ("GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "percent-encoded"),
        ("GET / http/1.1\r\nHost: a\r\n\r\n".to_owned(), "version"),
        ("nonsense\r\n\r\n".to_owned(), "first line"),
    ] {
        assert!(malformed(&text).contains(why), "{text:?}: {}", malformed(&text));
    }
    for version in ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10"] {
        assert_eq!(read(&format!("GET / {version}\r\nHost: a\r\n\r\n")), Err(BadHead::Version));
    }
}

#[test]
fn a_head_has_bounds_whole_or_not() {
    let find = |text: String| HeadEnd::default().find(text.as_bytes(), &LIMITS);
    assert_eq!(find(format!("GET /{}", "x".repeat(300))), Err(BadHead::TargetTooLong));
    assert_eq!(read(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(210))), Err(BadHead::TargetTooLong));
    assert_eq!(find(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(400))), Err(BadHead::TooLarge));
    assert_eq!(find(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(400))), Err(BadHead::TooLarge));
    assert_eq!(get(&"X: y\r\n".repeat(5)), Err(BadHead::TooLarge));
    assert!(get(&"X: y\r\n".repeat(4)).is_ok());
}

#[test]
fn a_head_that_comes_byte_by_byte_ends_where_it_would_have() {
    let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b";
    let mut end = HeadEnd::default();
    let found: Vec<usize> = (1..=text.len())
        .filter_map(|len| end.find(&text[..len], &LIMITS).expect("sound").map(|_| len))
        .take(1)
        .collect();
    assert_eq!(found, [27]);
}
