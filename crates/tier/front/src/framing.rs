//! Core: where one HTTP/1.1 request ends and the next begins, and whether its head can be trusted (RFC 9112).
//!
//! Request smuggling lives on two parties reading the same bytes differently. So this is a strict border guard in front of the
//! real parser: what hyper would understand in *some* way (two equal lengths, a length next to chunks, bare line feeds, folded
//! lines, several hosts) does not get through in any. It sees bytes in order and says how many may pass; it changes none.

use crate::fault::Fault;

/// Digits of a chunk's size; more would not fit 64 bits.
const CHUNK_DIGITS_MAX: u8 = 15;
/// Bytes of a chunk's extensions, and of all trailers.
const CHUNK_NOISE_MAX: usize = 4 << 10;

/// Follows one connection.
#[derive(Debug)]
pub struct Framing {
    mode: Mode,
    head: Head,
    limits: HeadLimits,
}

/// Bounds on a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    pub len_max: usize,
    pub target_len_max: usize,
    pub headers_max: usize,
}

/// What comes next on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A head or chunks: collect bytes and [`Framing::check`] them.
    Checked,
    /// So many bytes that are nobody's business here. Tell [`Framing::passed`].
    Opaque(u64),
    /// An upgrade was asked for: what comes depends on the answer.
    Upgrade,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first so many bytes may pass.
    Pass(usize),
    /// Cannot tell yet.
    More,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Head,
    Length(u64),
    Chunked(Chunk),
    Upgrade,
    Tunnel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    Size { digits: u8, len: u64 },
    Extension { len: u64, noise: usize },
    SizeEnd { len: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailer { at_start: bool, noise: usize },
    TrailerEnd { last: bool, noise: usize },
}

/// What is known of the head that is being read.
#[derive(Debug, Default)]
struct Head {
    line_start: usize,
    lines: usize,
    is_1_1: bool,
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Framing {
    pub fn new(limits: HeadLimits) -> Self {
        Self { mode: Mode::Head, head: Head::default(), limits }
    }

    /// One that lets everything pass: for protocols with a framing of their own.
    pub fn open() -> Self {
        Self { mode: Mode::Tunnel, ..Self::new(HeadLimits { len_max: 0, target_len_max: 0, headers_max: 0 }) }
    }

    pub fn next(&self) -> Next {
        match self.mode {
            Mode::Head | Mode::Chunked(_) => Next::Checked,
            Mode::Length(left) => Next::Opaque(left),
            Mode::Tunnel => Next::Opaque(u64::MAX),
            Mode::Upgrade => Next::Upgrade,
        }
    }

    /// Between two requests, or within a head.
    pub fn in_head(&self) -> bool {
        self.mode == Mode::Head
    }

    pub fn is_tunnel(&self) -> bool {
        self.mode == Mode::Tunnel
    }

    /// After [`Next::Upgrade`]: whether the other protocol was agreed on.
    pub fn upgraded(&mut self, agreed: bool) {
        self.mode = if agreed { Mode::Tunnel } else { Mode::Head };
    }

    /// So many of the opaque bytes have passed.
    pub fn passed(&mut self, bytes: usize) {
        if let Mode::Length(left) = &mut self.mode {
            *left = left.saturating_sub(bytes as u64);
            if *left == 0 {
                self.end_body();
            }
        }
    }

    /// How many of the bytes that have not passed yet may pass. `raw` always begins where the last pass ended.
    pub fn check(&mut self, raw: &[u8]) -> Result<Step, Fault> {
        match self.mode {
            Mode::Head => self.check_head(raw),
            Mode::Chunked(chunk) => self.check_chunks(chunk, raw),
            Mode::Length(_) | Mode::Upgrade | Mode::Tunnel => Ok(Step::More),
        }
    }

    fn check_head(&mut self, raw: &[u8]) -> Result<Step, Fault> {
        if self.head.lines == 0 && raw.starts_with(b"\r\n") {
            return Ok(Step::Pass(2));
        }
        while let Some(at) = memchr::memchr(b'\n', &raw[self.head.line_start..]) {
            let line = &raw[self.head.line_start..self.head.line_start + at];
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(Fault::BadRequest("a line ends without a carriage return"));
            };
            self.head.line_start += at + 1;
            if self.head.line_start > self.limits.len_max {
                return Err(Fault::HeadTooLarge);
            }
            if line.is_empty() {
                return self.end_head();
            }
            self.head.line(line, &self.limits)?;
        }
        self.check_unfinished(raw)
    }

    fn check_unfinished(&self, raw: &[u8]) -> Result<Step, Fault> {
        const METHOD_AND_VERSION: usize = 64;
        if self.head.lines == 0 && raw.len() > self.limits.target_len_max + METHOD_AND_VERSION {
            return Err(Fault::TargetTooLong(self.limits.target_len_max));
        }
        if raw.len() > self.limits.len_max { Err(Fault::HeadTooLarge) } else { Ok(Step::More) }
    }

    fn end_head(&mut self) -> Result<Step, Fault> {
        let head = std::mem::take(&mut self.head);
        head.check_whole()?;
        self.mode = match (head.chunked, head.length) {
            (true, _) => Mode::Chunked(Chunk::START),
            (false, Some(length)) if length > 0 => Mode::Length(length),
            _ if head.upgrade => Mode::Upgrade,
            _ => Mode::Head,
        };
        self.head.upgrade = head.upgrade && self.mode != Mode::Upgrade;
        Ok(Step::Pass(head.line_start))
    }

    fn end_body(&mut self) {
        self.mode = if std::mem::take(&mut self.head.upgrade) { Mode::Upgrade } else { Mode::Head };
    }

    fn check_chunks(&mut self, mut chunk: Chunk, raw: &[u8]) -> Result<Step, Fault> {
        let mut at = 0;
        while at < raw.len() {
            if let Chunk::Data { left } = chunk {
                let here = left.min((raw.len() - at) as u64);
                at += here as usize;
                chunk = if here == left { Chunk::DataCr } else { Chunk::Data { left: left - here } };
                continue;
            }
            let next = chunk.byte(raw[at])?;
            at += 1;
            let Some(next) = next else {
                self.end_body();
                return Ok(Step::Pass(at));
            };
            chunk = next;
        }
        self.mode = Mode::Chunked(chunk);
        Ok(if at > 0 { Step::Pass(at) } else { Step::More })
    }
}

impl Head {
    fn line(&mut self, line: &[u8], limits: &HeadLimits) -> Result<(), Fault> {
        self.lines += 1;
        if self.lines == 1 {
            return self.request_line(line, limits);
        }
        if self.lines > limits.headers_max + 1 {
            return Err(Fault::HeadTooLarge);
        }
        self.field(line)
    }

    fn request_line(&mut self, line: &[u8], limits: &HeadLimits) -> Result<(), Fault> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Fault::BadRequest("the first line is not a method, an address and a version"));
        };
        if !is_token(method) {
            return Err(Fault::BadRequest("the method is not a word"));
        }
        if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
            return Err(Fault::BadRequest("the address has bytes that must be percent-encoded"));
        }
        if target.len() > limits.target_len_max {
            return Err(Fault::TargetTooLong(limits.target_len_max));
        }
        self.upgrade = method == b"CONNECT";
        self.is_1_1 = match version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            other if other.starts_with(b"HTTP/") => return Err(Fault::Version),
            _ => return Err(Fault::BadRequest("the first line does not end in a version of HTTP")),
        };
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Fault> {
        if matches!(line[0], b' ' | b'\t') {
            return Err(Fault::BadRequest("a header is folded over two lines"));
        }
        let colon = memchr::memchr(b':', line).ok_or(Fault::BadRequest("a header has no colon"))?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if !is_token(name) {
            return Err(Fault::BadRequest("a header's name is not a word"));
        }
        if value.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
            return Err(Fault::BadRequest("a header has control characters"));
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade |= self.is_1_1,
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value)?,
            _ => {}
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.length.is_some() {
            return Err(Fault::BadRequest("there are two Content-Length headers"));
        }
        let is_number = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
        if !is_number {
            return Err(Fault::BadRequest("Content-Length is not a number"));
        }
        self.length = Some(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')));
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::BadRequest("Transfer-Encoding is something else than chunked"));
        }
        self.chunked = true;
        Ok(())
    }

    fn check_whole(&self) -> Result<(), Fault> {
        if self.chunked && self.length.is_some() {
            return Err(Fault::BadRequest("there are both Content-Length and Transfer-Encoding"));
        }
        if self.chunked && !self.is_1_1 {
            return Err(Fault::BadRequest("HTTP/1.0 has no Transfer-Encoding"));
        }
        if self.hosts > 1 || (self.is_1_1 && self.hosts == 0) {
            return Err(Fault::BadRequest("there must be one Host header"));
        }
        Ok(())
    }
}

impl Chunk {
    const START: Chunk = Chunk::Size { digits: 0, len: 0 };

    /// The state after one byte; `None` when that was the body's last.
    fn byte(self, byte: u8) -> Result<Option<Chunk>, Fault> {
        const BAD: Fault = Fault::BadRequest("the body's chunks are malformed");
        Ok(Some(match (self, byte) {
            (Chunk::Size { digits, len }, digit) if digit.is_ascii_hexdigit() && digits < CHUNK_DIGITS_MAX => {
                let value = char::from(digit).to_digit(16).map_or(0, u64::from);
                Chunk::Size { digits: digits + 1, len: len << 4 | value }
            }
            (Chunk::Size { digits: 1.., len }, b'\r') => Chunk::SizeEnd { len },
            (Chunk::Size { digits: 1.., len }, b';') => Chunk::Extension { len, noise: 0 },
            (Chunk::Extension { len, .. }, b'\r') => Chunk::SizeEnd { len },
            (Chunk::Extension { len, noise }, byte) if is_text(byte) && noise < CHUNK_NOISE_MAX => {
                Chunk::Extension { len, noise: noise + 1 }
            }
            (Chunk::SizeEnd { len: 0 }, b'\n') => Chunk::Trailer { at_start: true, noise: 0 },
            (Chunk::SizeEnd { len }, b'\n') => Chunk::Data { left: len },
            (Chunk::DataCr, b'\r') => Chunk::DataLf,
            (Chunk::DataLf, b'\n') => Chunk::START,
            (Chunk::Trailer { at_start, noise }, b'\r') => Chunk::TrailerEnd { last: at_start, noise },
            (Chunk::Trailer { noise, .. }, byte) if is_text(byte) && noise < CHUNK_NOISE_MAX => {
                Chunk::Trailer { at_start: false, noise: noise + 1 }
            }
            (Chunk::TrailerEnd { last: true, .. }, b'\n') => return Ok(None),
            (Chunk::TrailerEnd { last: false, noise }, b'\n') => Chunk::Trailer { at_start: true, noise },
            _ => return Err(BAD),
        }))
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// RFC 9110, 5.6.2
fn is_token(word: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !word.is_empty() && word.iter().all(fits)
}

#[cfg(test)]
mod tests;
