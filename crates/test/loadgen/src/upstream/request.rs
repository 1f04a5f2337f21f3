//! Core: as much of a request as the upstream needs: where it ends, what is asked for, and whether the connection stays.

use memchr::{memchr, memmem};

const HEAD_LEN_MAX: usize = 16 << 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    pub path: &'a [u8],
    pub is_head: bool,
    pub keep_alive: bool,
    pub head_len: usize,
    /// Bytes after the head.
    pub body_len: u64,
}

/// This is no HTTP, or more of it than the upstream reads.
#[derive(PartialEq, Eq, Debug)]
pub struct Unreadable;

/// The first request of the bytes. None: it is not whole yet.
pub fn first(bytes: &[u8]) -> Result<Option<Request<'_>>, Unreadable> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > HEAD_LEN_MAX { Err(Unreadable) } else { Ok(None) };
    };
    let mut lines = Lines(&bytes[..end]);
    let mut words = lines.next().ok_or(Unreadable)?.split(|byte| *byte == b' ');
    let (method, path, version) = (words.next(), words.next(), words.next());
    let path = path.ok_or(Unreadable)?;
    let path = memchr(b'?', path).map_or(path, |at| &path[..at]);
    let mut request = Request {
        path,
        is_head: method == Some(b"HEAD"),
        keep_alive: match version {
            Some(b"HTTP/1.1") => true,
            Some(b"HTTP/1.0") => false,
            _ => return Err(Unreadable),
        },
        head_len: end + 4,
        body_len: 0,
    };
    for line in lines {
        let Some(colon) = memchr(b':', line) else { return Err(Unreadable) };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // By length first: most lines are none of these.
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => {
                request.keep_alive = !value.eq_ignore_ascii_case(b"close")
                    && (request.keep_alive || value.eq_ignore_ascii_case(b"keep-alive"));
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                request.body_len =
                    std::str::from_utf8(value).ok().and_then(|len| len.parse().ok()).ok_or(Unreadable)?;
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => return Err(Unreadable),
            _ => {}
        }
    }
    Ok(Some(request))
}

/// What stands between CRLFs.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let (line, rest) = match memchr(b'\n', self.0) {
            Some(at) => (&self.0[..at], &self.0[at + 1..]),
            None => (self.0, [].as_slice()),
        };
        self.0 = rest;
        Some(line.trim_ascii_end())
    }
}

#[cfg(test)]
mod tests;
