//! Core: how an answer is written: its head, and how its body's end will be known (RFC 9112, 6).

use http::{Response, StatusCode, header};
use http_body::Body as _;
use ringway_ports::Body;
use ringway_protocol::http1::{BodyLength, write_status_line};

use super::reading::Asked;

/// Writes the head of the answer. How its body is to be sent, and whether the connection stays.
pub fn write_head(
    out: &mut Vec<u8>,
    response: &Response<Body>,
    asked: Asked,
    mut keeps_alive: bool,
    date: &[u8],
) -> (BodyLength, bool) {
    let length = length_of(response, asked);
    let says_close = response.headers().get(header::CONNECTION).is_some_and(|value| value == "close");
    keeps_alive &= asked.keeps_alive && !says_close && length != BodyLength::UntilClose;
    write_status_line(out, response.status());
    let is_switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in response.headers() {
        let is_framing =
            name == header::CONNECTION || name == header::TRANSFER_ENCODING || name == header::CONTENT_LENGTH;
        if is_framing && !is_switching {
            continue;
        }
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    if !is_switching {
        write_framing(out, response, length, asked, keeps_alive);
    }
    if !response.headers().contains_key(header::DATE) {
        for part in [b"date: ", date, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
    (length, keeps_alive)
}

fn write_framing(out: &mut Vec<u8>, response: &Response<Body>, length: BodyLength, asked: Asked, keeps_alive: bool) {
    match length {
        BodyLength::Known(len) => write_length(out, len),
        BodyLength::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // Of what is not sent: the answer to a HEAD tells the length that a GET would have had.
        BodyLength::None => {
            let may_tell = asked.is_head || response.status() == StatusCode::NOT_MODIFIED;
            if let Some(len) = announced(response).filter(|_| may_tell) {
                write_length(out, len);
            }
        }
        BodyLength::UntilClose => {}
    }
    match (keeps_alive, asked.is_1_1) {
        (true, true) => {}
        (true, false) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (false, _) => out.extend_from_slice(b"connection: close\r\n"),
    }
}

fn write_length(out: &mut Vec<u8>, len: u64) {
    let value = http::HeaderValue::from(len);
    for part in [b"content-length: ", value.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn announced(response: &Response<Body>) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn length_of(response: &Response<Body>, asked: Asked) -> BodyLength {
    let status = response.status();
    let never = status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if never || asked.is_head {
        return BodyLength::None;
    }
    match response.body().size_hint().exact().or_else(|| announced(response)) {
        Some(len) => BodyLength::Known(len),
        None if asked.is_1_1 => BodyLength::Chunked,
        None => BodyLength::UntilClose,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, StreamBody};
    use ringway_ports::{BodyError, empty, full};

    use super::*;

    const GET: Asked = Asked { is_head: false, is_1_1: true, keeps_alive: true, upgrades: false };

    fn streamed() -> Body {
        StreamBody::new(futures_util::stream::empty::<Result<http_body::Frame<Bytes>, BodyError>>()).boxed_unsync()
    }

    fn told(status: u16, fields: &[(&'static str, &str)], body: Body, asked: Asked) -> (String, BodyLength, bool) {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in fields {
            response.headers_mut().append(*name, value.parse().unwrap());
        }
        let mut out = Vec::new();
        let (length, keeps) = write_head(&mut out, &response, asked, true, b"now");
        let text = String::from_utf8(out).unwrap();
        let text = text.strip_suffix("date: now\r\n\r\n").expect("a date and an end").to_owned();
        (text, length, keeps)
    }

    #[test]
    fn the_end_of_a_body_is_always_known() {
        let known = (BodyLength::Known(3), true);
        let (text, length, keeps) = told(200, &[], full("abc"), GET);
        assert_eq!((text.as_str(), (length, keeps)), ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n", known));
        let (text, length, _) = told(200, &[("content-length", "9")], streamed(), GET);
        assert_eq!((text.as_str(), length), ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n", BodyLength::Known(9)));
        let (text, length, _) = told(200, &[("transfer-encoding", "gzip")], streamed(), GET);
        assert_eq!((text.as_str(), length), ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n", BodyLength::Chunked));
        let old = Asked { is_1_1: false, ..GET };
        let (text, length, keeps) = told(200, &[], streamed(), old);
        assert_eq!(
            (text.as_str(), length, keeps),
            ("HTTP/1.1 200 OK\r\nconnection: close\r\n", BodyLength::UntilClose, false)
        );
    }

    #[test]
    fn answers_without_a_body_have_none() {
        for status in [204, 304] {
            let (text, length, keeps) = told(status, &[], empty(), GET);
            assert!(!text.contains("content-length") && length == BodyLength::None && keeps, "{text}");
        }
        let head = Asked { is_head: true, ..GET };
        let (text, length, _) = told(200, &[("content-length", "9")], empty(), head);
        assert_eq!((text.as_str(), length), ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n", BodyLength::None));
        let (text, ..) = told(404, &[], empty(), GET);
        assert_eq!(text, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n");
    }

    #[test]
    fn the_connection_stays_if_both_want_it_to() {
        let old = Asked { is_1_1: false, ..GET };
        assert!(told(200, &[], full("a"), old).0.ends_with("connection: keep-alive\r\n"));
        let leaving = Asked { keeps_alive: false, ..GET };
        assert!(told(200, &[], full("a"), leaving).0.ends_with("connection: close\r\n"));
        let (text, _, keeps) = told(413, &[("connection", "close")], full("a"), GET);
        assert!(text.matches("connection: close").count() == 1 && !keeps);
    }
}
