use super::*;

fn read(text: &str, method: &Method) -> Result<ResponseHead, BadAnswer> {
    let mut from = 0;
    let end = ResponseHead::find_end(text.as_bytes(), &mut from, 1000)?.expect("a whole head");
    ResponseHead::parse(&Bytes::copy_from_slice(&text.as_bytes()[..end]), method)
}

/// Status, body, and whether the connection stays.
fn told(text: &str) -> Result<(u16, BodyLength, bool), BadAnswer> {
    read(text, &Method::GET).map(|head| (head.status.as_u16(), head.body, head.keeps_alive))
}

#[test]
fn a_head_is_read_with_its_fields() {
    let head =
        read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a\r\nset-cookie: b\r\nX:\r\n\r\n", &Method::GET)
            .unwrap();
    assert_eq!((head.status, head.body, head.keeps_alive), (StatusCode::OK, BodyLength::Known(5), true));
    let cookies: Vec<&str> = head.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!((cookies, head.headers["x"].as_bytes()), (vec!["a", "b"], &b""[..]));
}

#[test]
fn old_habits_with_one_meaning_are_let_pass() {
    assert_eq!(told("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n"), Ok((200, BodyLength::Known(1), true)));
    assert_eq!(told("HTTP/1.0 200 OK\nContent-Length: 1\n\n"), Ok((200, BodyLength::Known(1), false)));
    assert_eq!(
        told("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n"),
        Ok((200, BodyLength::Known(1), true))
    );
    assert_eq!(
        told("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
        Ok((200, BodyLength::Known(1), true))
    );
    assert_eq!(
        told("HTTP/1.1 299 Great Thing \u{e4}\r\nContent-Length: 0\r\n\r\n"),
        Ok((299, BodyLength::Known(0), true))
    );
}

#[test]
fn where_the_body_ends_follows_from_the_head() {
    assert_eq!(told("HTTP/1.1 200 OK\r\n\r\n"), Ok((200, BodyLength::UntilClose, false)));
    assert_eq!(told("HTTP/1.1 204 No Content\r\n\r\n"), Ok((204, BodyLength::None, true)));
    assert_eq!(told("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"), Ok((304, BodyLength::None, true)));
    assert_eq!(told("HTTP/1.1 100 Continue\r\n\r\n"), Ok((100, BodyLength::None, true)));
    assert_eq!(told("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Ok((200, BodyLength::Chunked, true)));
    assert_eq!(
        told("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\n"),
        Ok((200, BodyLength::Known(1), false))
    );
    let head = read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", &Method::HEAD).unwrap();
    assert_eq!((head.body, head.keeps_alive), (BodyLength::None, true));
}

#[test]
fn what_has_no_meaning_is_refused() {
    for text in [
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    ] {
        assert!(matches!(told(text), Err(BadAnswer::Malformed(_))), "{text:?} is {:?}", told(text));
    }
    let endless = "HTTP/1.1 200 OK\r\n".to_owned() + &"X: y\r\n".repeat(200);
    assert_eq!(ResponseHead::find_end(endless.as_bytes(), &mut 0, 1000), Err(BadAnswer::TooLarge(1000)));
}
