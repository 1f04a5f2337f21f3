use super::*;

/// Of one request, of which no proper beginning is taken for one.
fn check(text: &str) -> Result<Request<'_>, Unreadable> {
    for end in 0..text.find("\r\n\r\n").map_or(0, |at| at + 4) {
        assert_eq!(first(&text.as_bytes()[..end]), Ok(None), "{:?}", &text[..end]);
    }
    first(text.as_bytes()).map(|request| request.expect("it is whole"))
}

#[test]
fn a_request_ends_where_its_head_does_and_the_next_is_left() {
    let text = "GET /app/1k?x=1 HTTP/1.1\r\nHost: a\r\n\r\nGET /64k HTTP/1.1\r\n\r\n";
    let request = check(text).expect("HTTP");
    assert_eq!((request.path, request.is_head, request.keep_alive), (b"/app/1k".as_slice(), false, true));
    assert_eq!(&text[request.head_len..], "GET /64k HTTP/1.1\r\n\r\n");
}

#[test]
fn the_connection_stays_if_version_and_header_say_so() {
    for (version, connection, stays) in [
        ("1.1", "", true),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "connection: keep-alive\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
    ] {
        let text = format!("HEAD / HTTP/{version}\r\n{connection}\r\n");
        let request = check(&text).expect("HTTP");
        assert_eq!((request.keep_alive, request.is_head), (stays, true), "{text:?}");
    }
}

#[test]
fn a_body_has_a_length_or_is_refused() {
    let with = |header: &str| format!("POST /v1/traces HTTP/1.1\r\n{header}\r\n\r\n");
    assert_eq!(check(&with("Content-Length: 70000")).map(|request| request.body_len), Ok(70_000));
    assert_eq!(check(&with("Content-Length: 0x7")), Err(Unreadable));
    assert_eq!(check(&with("Transfer-Encoding: chunked")), Err(Unreadable));
}

#[test]
fn what_is_no_http_is_refused() {
    for text in ["GET\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.1\r\nnonsense\r\n\r\n"] {
        assert_eq!(check(text), Err(Unreadable), "{text:?}");
    }
    assert_eq!(first(&vec![b'x'; HEAD_LEN_MAX + 1]), Err(Unreadable), "a head without an end");
}
