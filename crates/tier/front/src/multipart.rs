//! Core: several parts of something as one body (RFC 9110, 14.6).

use std::ops::Range;

use bytes::Bytes;
use http::HeaderValue;

pub struct Multipart {
    /// `multipart/byteranges`, with its boundary.
    pub kind: HeaderValue,
    /// In front of each part.
    pub heads: Vec<Bytes>,
    /// Behind the last.
    pub end: Bytes,
    /// All of it.
    pub len: u64,
}

impl Multipart {
    /// `kind` and `whole` are of what the parts are of. `boundary`: a number that nobody could have foreseen and put into it.
    pub fn new(kind: &HeaderValue, ranges: &[Range<u64>], whole: u64, boundary: u64) -> Self {
        let mut heads = Vec::with_capacity(ranges.len());
        for (nth, range) in ranges.iter().enumerate() {
            let mut head =
                format!("{}--{boundary:016x}\r\ncontent-type: ", if nth == 0 { "" } else { "\r\n" }).into_bytes();
            head.extend_from_slice(kind.as_bytes());
            let place = format!("\r\ncontent-range: bytes {}-{}/{whole}\r\n\r\n", range.start, range.end - 1);
            head.extend_from_slice(place.as_bytes());
            heads.push(Bytes::from(head));
        }
        let end = Bytes::from(format!("\r\n--{boundary:016x}--\r\n"));
        let between: usize = heads.iter().map(Bytes::len).sum();
        let parts: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let own_kind = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary:016x}"));
        Self {
            kind: own_kind.unwrap_or(HeaderValue::from_static("multipart/byteranges")),
            len: (between + end.len()) as u64 + parts,
            heads,
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_heads_and_an_end() {
        let all = Bytes::from_static(b"0123456789");
        let ranges = [0..2, 5..6];
        let made = Multipart::new(&HeaderValue::from_static("text/plain"), &ranges, 10, 0xabc);
        let mut text = Vec::new();
        for (head, range) in made.heads.iter().zip(&ranges) {
            text.extend_from_slice(head);
            text.extend_from_slice(&all[range.start as usize..range.end as usize]);
        }
        text.extend_from_slice(&made.end);
        assert_eq!(made.len, text.len() as u64);
        assert_eq!(made.kind, "multipart/byteranges; boundary=0000000000000abc");
        expect_test::expect![[r#"
            --0000000000000abc
            content-type: text/plain
            content-range: bytes 0-1/10

            01
            --0000000000000abc
            content-type: text/plain
            content-range: bytes 5-5/10

            5
            --0000000000000abc--
        "#]]
        .assert_eq(&String::from_utf8(text).unwrap().replace("\r\n", "\n"));
    }
}
