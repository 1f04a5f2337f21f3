//! Core: replies, just far enough to count them and to see that each is what was asked for: kind, length, end.

use crate::{
    options::Proto,
    request::{Asked, KEY_LEN},
};

/// Longest line without an end that is waited for.
const LINE_MAX: usize = 64 << 10;
const END: &[u8] = b"END\r\n";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Hit,
    Miss,
    Stored,
    Refused,
}

/// It cannot be the answer to what was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Unexpected(pub String);

pub struct Replies {
    proto: Proto,
    value_len: usize,
    /// What stands before the value if it is there: all of it (Redis), or what follows the key (memcached).
    head: Vec<u8>,
}

impl Replies {
    pub fn new(proto: Proto, value_len: usize) -> Self {
        let head = match proto {
            Proto::Resp => format!("${value_len}\r\n"),
            Proto::Mc => format!(" 0 {value_len}\r\n"),
        };
        Self { proto, value_len, head: head.into_bytes() }
    }

    /// The first answer in `bytes` and its length; None if it is not there whole.
    pub fn first(&self, asked: Asked, bytes: &[u8]) -> Result<Option<(Answer, usize)>, Unexpected> {
        match (self.proto, asked) {
            (Proto::Resp, Asked::Get) => self.resp_value(bytes),
            (Proto::Resp, Asked::Set) => line(bytes, b"+OK\r\n", Answer::Stored, |line| line[0] == b'-'),
            (Proto::Mc, Asked::Get) => self.mc_value(bytes),
            (_, Asked::Several(missing)) => self.mc_value_of_several(missing, bytes),
            (Proto::Mc, Asked::Set) => line(bytes, b"STORED\r\n", Answer::Stored, is_mc_error),
        }
    }

    fn resp_value(&self, bytes: &[u8]) -> Result<Option<(Answer, usize)>, Unexpected> {
        if bytes.starts_with(&self.head) {
            let len = self.head.len() + self.value_len + 2;
            if bytes.len() < len {
                return Ok(None);
            }
            return self.ends(bytes, len).map(|()| Some((Answer::Hit, len)));
        }
        if bytes.starts_with(b"_") {
            return line(bytes, b"_\r\n", Answer::Miss, |_| false);
        }
        line(bytes, b"$-1\r\n", Answer::Miss, |line| line[0] == b'-')
    }

    fn mc_value(&self, bytes: &[u8]) -> Result<Option<(Answer, usize)>, Unexpected> {
        let Some(value) = self.mc_value_len(bytes) else {
            return line(bytes, END, Answer::Miss, is_mc_error);
        };
        let len = value + END.len();
        if bytes.len() < len {
            return Ok(None);
        }
        self.ends(bytes, value)?;
        if &bytes[value..len] != END {
            return Err(unexpected(&bytes[value..len]));
        }
        Ok(Some((Answer::Hit, len)))
    }

    /// A hit for each value that is found, a miss at the end of them all.
    fn mc_value_of_several(&self, missing: u32, bytes: &[u8]) -> Result<Option<(Answer, usize)>, Unexpected> {
        match self.mc_value_len(bytes) {
            Some(len) if bytes.len() < len => Ok(None),
            Some(_) if missing == 0 => Err(unexpected(bytes)),
            Some(len) => self.ends(bytes, len).map(|()| Some((Answer::Hit, len))),
            None => line(bytes, END, Answer::Miss, is_mc_error),
        }
    }

    /// Length of a value with what stands around it, if `bytes` begin with one.
    fn mc_value_len(&self, bytes: &[u8]) -> Option<usize> {
        const KEY_AT: usize = 6;
        let head = bytes.get(KEY_AT + KEY_LEN..)?;
        (bytes.starts_with(b"VALUE ") && head.starts_with(&self.head))
            .then(|| KEY_AT + KEY_LEN + self.head.len() + self.value_len + 2)
    }

    fn ends(&self, bytes: &[u8], len: usize) -> Result<(), Unexpected> {
        if &bytes[len - 2..len] == b"\r\n" { Ok(()) } else { Err(unexpected(&bytes[..len])) }
    }
}

fn is_mc_error(line: &[u8]) -> bool {
    [b"ERROR".as_slice(), b"CLIENT_ERROR", b"SERVER_ERROR"].iter().any(|word| line.starts_with(word))
}

/// A line that is the one awaited, or a refusal.
fn line(
    bytes: &[u8],
    awaited: &[u8],
    answer: Answer,
    is_refusal: fn(&[u8]) -> bool,
) -> Result<Option<(Answer, usize)>, Unexpected> {
    if bytes.starts_with(awaited) {
        return Ok(Some((answer, awaited.len())));
    }
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return if bytes.len() > LINE_MAX { Err(unexpected(bytes)) } else { Ok(None) };
    };
    let line = &bytes[..=end];
    if is_refusal(line) { Ok(Some((Answer::Refused, line.len()))) } else { Err(unexpected(line)) }
}

fn unexpected(bytes: &[u8]) -> Unexpected {
    Unexpected(bytes[..bytes.len().min(80)].escape_ascii().to_string())
}

#[cfg(test)]
mod tests;
