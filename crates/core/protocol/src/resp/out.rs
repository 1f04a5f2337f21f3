//! Core: replies, written straight behind what is there. What version 2 does not know becomes what Redis makes of it.
//!
//! Small replies are bytes in one buffer. A large value that is shared is not copied: it becomes a chunk of its own between two
//! pieces of that buffer.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use super::number::{Decimal, INT_LEN_MAX, double_text};
use super::reply::{Reply, RespVersion};

/// From here on sharing a value is cheaper than copying it.
pub const SHARED_LEN_MIN: usize = 32 * 1024;
/// More room than this is given back when everything is written.
const KEPT_LEN_MAX: usize = 64 * 1024;
/// The longest first line of a reply: a kind, a number, CR LF.
const HEAD_LEN_MAX: usize = 1 + INT_LEN_MAX + 2;

/// Replies of one client, in its version of the protocol. Whoever writes an array's head writes as many replies after it.
#[derive(Debug, Default)]
pub struct Out {
    version: RespVersion,
    /// Before `tail`.
    chunks: VecDeque<Bytes>,
    chunks_len: usize,
    tail: Vec<u8>,
    /// How much of `tail` is sent.
    sent: usize,
}

impl Out {
    pub fn new(version: RespVersion) -> Self {
        Self { version, ..Self::default() }
    }

    pub fn set_version(&mut self, version: RespVersion) {
        self.version = version;
    }

    #[inline]
    pub fn version(&self) -> RespVersion {
        self.version
    }

    /// How many bytes are written and not sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.chunks_len + self.tail.len() - self.sent
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&mut self) {
        self.chunks.clear();
        self.tail.clear();
        (self.chunks_len, self.sent) = (0, 0);
        if self.tail.capacity() > KEPT_LEN_MAX {
            self.tail = Vec::new();
        }
    }

    /// All bytes at once, if none are shared.
    #[inline]
    pub fn plain(&self) -> Option<&[u8]> {
        self.chunks.is_empty().then(|| &self.tail[self.sent..])
    }

    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let tail = &self.tail[self.sent..];
        self.chunks.iter().map(|chunk| &chunk[..]).chain((!tail.is_empty()).then_some(tail))
    }

    /// For a vectored write: the first chunks; how many there are in `slices`.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(self.chunks());
        filled.map(|(slice, chunk)| *slice = IoSlice::new(chunk)).count()
    }

    /// The first `count` bytes are sent.
    pub fn advance(&mut self, mut count: usize) {
        while count > 0
            && let Some(chunk) = self.chunks.front_mut()
        {
            let sent = count.min(chunk.len());
            chunk.advance(sent);
            self.chunks_len -= sent;
            count -= sent;
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
        }
        self.sent += count;
        assert!(self.sent <= self.tail.len(), "more is sent than was written");
        if self.is_empty() {
            self.clear();
        }
    }

    /// Everything, to be sent by somebody else.
    pub fn take(&mut self) -> Vec<Bytes> {
        self.close_tail();
        self.chunks_len = 0;
        std::mem::take(&mut self.chunks).into()
    }

    /// Everything in one piece; copies if a value is shared.
    pub fn into_bytes(mut self) -> Bytes {
        if self.chunks.len() + usize::from(self.sent < self.tail.len()) > 1 {
            return self.chunks().collect::<Vec<_>>().concat().into();
        }
        self.take().pop().unwrap_or_default()
    }

    /// For what is encoded already: the reply of another node.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.tail.extend_from_slice(encoded);
    }

    /// As [`Self::raw`]; what is large is not copied.
    pub fn raw_shared(&mut self, encoded: Bytes) {
        if encoded.len() < SHARED_LEN_MIN {
            return self.raw(&encoded);
        }
        self.close_tail();
        self.push_chunk(encoded);
    }

    #[inline]
    pub fn ok(&mut self) {
        self.tail.extend_from_slice(b"+OK\r\n");
    }

    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// With its code (`ERR syntax error`). It may quote what the client sent: a line break in it would be read as the next reply.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    pub fn error_bytes(&mut self, text: &[u8]) {
        let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let from = text.iter().position(|byte| !is_break(byte)).unwrap_or(text.len());
        let to = text.iter().rposition(|byte| !is_break(byte)).map_or(from, |last| last + 1);
        self.tail.push(b'-');
        self.tail.extend(text[from..to].iter().map(|byte| if is_break(byte) { b' ' } else { *byte }));
        self.tail.extend_from_slice(b"\r\n");
    }

    #[inline]
    pub fn int(&mut self, number: i64) {
        match number {
            0 => self.tail.extend_from_slice(b":0\r\n"),
            1 => self.tail.extend_from_slice(b":1\r\n"),
            _ => self.line(b':', Decimal::signed(number).as_bytes()),
        }
    }

    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.tail.reserve(HEAD_LEN_MAX + bytes.len() + 2);
        self.head(b'$', bytes.len());
        self.tail.extend_from_slice(bytes);
        self.tail.extend_from_slice(b"\r\n");
    }

    /// A bulk string that is not copied if it is large.
    pub fn shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_LEN_MIN {
            return self.bulk(bytes);
        }
        self.head(b'$', bytes.len());
        self.close_tail();
        self.push_chunk(bytes.clone());
        self.tail.extend_from_slice(b"\r\n");
    }

    pub fn bulk_int(&mut self, number: i64) {
        self.bulk(Decimal::signed(number).as_bytes());
    }

    #[inline]
    pub fn null(&mut self) {
        self.tail.extend_from_slice(if self.is_two() { b"$-1\r\n" } else { b"_\r\n" });
    }

    pub fn null_array(&mut self) {
        self.tail.extend_from_slice(if self.is_two() { b"*-1\r\n" } else { b"_\r\n" });
    }

    pub fn array(&mut self, len: usize) {
        self.head(b'*', len);
    }

    /// So many pairs of a key and a value follow.
    pub fn map(&mut self, pairs: usize) {
        if self.is_two() { self.head(b'*', pairs * 2) } else { self.head(b'%', pairs) }
    }

    pub fn set(&mut self, len: usize) {
        self.head(if self.is_two() { b'*' } else { b'~' }, len);
    }

    pub fn push(&mut self, len: usize) {
        self.head(if self.is_two() { b'*' } else { b'>' }, len);
    }

    pub fn double(&mut self, number: f64) {
        let text = double_text(number);
        if self.is_two() { self.bulk(text.as_bytes()) } else { self.line(b',', text.as_bytes()) }
    }

    pub fn bool(&mut self, is: bool) {
        self.tail.extend_from_slice(match (self.version, is) {
            (RespVersion::Two, true) => b":1\r\n",
            (RespVersion::Two, false) => b":0\r\n",
            (RespVersion::Three, true) => b"#t\r\n",
            (RespVersion::Three, false) => b"#f\r\n",
        });
    }

    /// A whole number of any size.
    pub fn big_number(&mut self, digits: &str) {
        if self.is_two() { self.bulk(digits.as_bytes()) } else { self.line(b'(', digits.as_bytes()) }
    }

    /// Text for people.
    pub fn verbatim(&mut self, text: &str) {
        if self.is_two() {
            return self.bulk(text.as_bytes());
        }
        self.head(b'=', text.len() + 4);
        self.tail.extend_from_slice(b"txt:");
        self.tail.extend_from_slice(text.as_bytes());
        self.tail.extend_from_slice(b"\r\n");
    }

    pub fn reply(&mut self, reply: &Reply) {
        match reply {
            Reply::Simple(text) => self.simple(text),
            Reply::Error(text) => self.error(text),
            Reply::Int(number) => self.int(*number),
            Reply::Bulk(bytes) => self.shared(bytes),
            Reply::Null => self.null(),
            Reply::NullArray => self.null_array(),
            Reply::Double(number) => self.double(*number),
            Reply::Bool(is) => self.bool(*is),
            Reply::BigNumber(digits) => self.big_number(digits),
            Reply::Verbatim(text) => self.verbatim(text),
            Reply::Array(items) => {
                self.array(items.len());
                items.iter().for_each(|item| self.reply(item));
            }
            Reply::Set(items) => {
                self.set(items.len());
                items.iter().for_each(|item| self.reply(item));
            }
            Reply::Push(items) => {
                self.push(items.len());
                items.iter().for_each(|item| self.reply(item));
            }
            Reply::Map(items) => {
                self.map(items.len());
                for (key, value) in items {
                    self.reply(key);
                    self.reply(value);
                }
            }
        }
    }

    /// Where the next reply begins, for [`Self::array_from`] and [`Self::cut_back`]. Nothing may be sent in between.
    pub fn mark(&self) -> usize {
        self.len()
    }

    /// Takes back what was written since `mark`.
    pub fn cut_back(&mut self, mark: usize) {
        if let Some(kept) = mark.checked_sub(self.chunks_len) {
            return self.tail.truncate(self.sent + kept);
        }
        self.tail.clear();
        self.sent = 0;
        while self.chunks_len > mark
            && let Some(mut chunk) = self.chunks.pop_back()
        {
            self.chunks_len -= chunk.len();
            chunk.truncate(mark.saturating_sub(self.chunks_len));
            if !chunk.is_empty() {
                self.push_chunk(chunk);
            }
        }
    }

    /// What was written since `mark` are `len` replies: makes one array of them. For when they are counted while they are made.
    pub fn array_from(&mut self, mark: usize, len: usize) {
        if let Some(from) = mark.checked_sub(self.chunks_len) {
            let end = self.tail.len();
            self.array(len);
            let head_len = self.tail.len() - end;
            return self.tail[self.sent + from..].rotate_right(head_len);
        }
        let mut behind = Vec::new();
        self.close_tail();
        while self.chunks_len > mark
            && let Some(mut chunk) = self.chunks.pop_back()
        {
            self.chunks_len -= chunk.len();
            let before = chunk.split_to(mark.saturating_sub(self.chunks_len));
            behind.push(chunk);
            if !before.is_empty() {
                self.push_chunk(before);
            }
        }
        self.array(len);
        self.close_tail();
        behind.into_iter().rev().for_each(|chunk| self.push_chunk(chunk));
    }

    #[inline]
    fn is_two(&self) -> bool {
        self.version == RespVersion::Two
    }

    fn close_tail(&mut self) {
        if self.sent < self.tail.len() {
            let mut tail = Bytes::from(std::mem::take(&mut self.tail));
            tail.advance(self.sent);
            self.push_chunk(tail);
        }
        self.tail.clear();
        self.sent = 0;
    }

    fn push_chunk(&mut self, chunk: Bytes) {
        self.chunks_len += chunk.len();
        self.chunks.push_back(chunk);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.tail.reserve(text.len() + 3);
        self.tail.push(kind);
        self.tail.extend_from_slice(text);
        self.tail.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn head(&mut self, kind: u8, len: usize) {
        match len {
            0..10 => self.tail.extend_from_slice(&[kind, b'0' + len as u8, b'\r', b'\n']),
            10..100 => {
                let (tens, ones) = ((len / 10) as u8, (len % 10) as u8);
                self.tail.extend_from_slice(&[kind, b'0' + tens, b'0' + ones, b'\r', b'\n']);
            }
            _ => self.line(kind, Decimal::unsigned(len as u64).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests;
