//! Core: messages to bytes.

use http::{HeaderMap, StatusCode};

/// `HTTP/1.1 200 OK`
pub fn write_status_line(out: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("Unknown").as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// `GET /path?query HTTP/1.1`
pub fn write_request_line(out: &mut Vec<u8>, method: &str, target: &str) {
    for part in [method, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// All fields, without the empty line after them.
pub fn write_fields(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// What comes before a chunk's data; `\r\n` comes after it. A chunk of no bytes would be the last: never write one.
pub fn write_chunk_start(out: &mut Vec<u8>, len: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let first = (64 - (len as u64 | 1).leading_zeros()).div_ceil(4);
    for place in (0..first).rev() {
        out.push(DIGITS[(len >> (4 * place)) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// The end of a body in chunks.
pub fn write_last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        write_fields(out, trailers);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_begins_with_its_length_in_hexadecimal() {
        for len in [1, 9, 10, 15, 16, 255, 256, 4096, 65_535, 65_536, usize::MAX] {
            let mut out = Vec::new();
            write_chunk_start(&mut out, len);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{len:x}\r\n"));
        }
    }

    #[test]
    fn heads_are_written_as_the_standard_wants_them() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "text/plain".parse().unwrap());
        headers.append("set-cookie", "a=1".parse().unwrap());
        headers.append("set-cookie", "b=2".parse().unwrap());
        let mut out = Vec::new();
        write_status_line(&mut out, StatusCode::NOT_FOUND);
        write_fields(&mut out, &headers);
        write_request_line(&mut out, "GET", "/a?b");
        write_last_chunk(&mut out, Some(&headers));
        let fields = "content-type: text/plain\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n";
        let expected = format!("HTTP/1.1 404 Not Found\r\n{fields}GET /a?b HTTP/1.1\r\n0\r\n{fields}\r\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
