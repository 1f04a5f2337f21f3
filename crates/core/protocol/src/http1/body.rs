//! Core: the bytes of a body out of the bytes of a connection (RFC 9112, 6 and 7).

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use thiserror::Error;

use super::BodyLength;
use super::text::{is_field_value, is_text, is_token};

/// Digits of a chunk's size; more would not fit 64 bits.
const CHUNK_DIGITS_MAX: u8 = 15;
/// Bytes of one chunk's extensions, and of all trailers.
const NOISE_MAX: usize = 4 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the chunks are malformed")]
pub struct BadBody;

/// Follows one body.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    /// Of the trailer section, as it comes.
    trailers: Vec<u8>,
}

/// What comes next of a body.
#[derive(Debug)]
pub enum Decoded {
    Data(Bytes),
    /// The last, and nothing but the end comes after it.
    Trailers(HeaderMap),
    /// The bytes that came do not tell.
    More,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    End,
    Length(u64),
    UntilClose,
    Size { digits: u8, len: u64 },
    Extension { len: u64, noise: usize },
    SizeEnd { len: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailer { at_start: bool },
    TrailerEnd { last: bool },
}

const START: State = State::Size { digits: 0, len: 0 };

impl BodyDecoder {
    pub fn new(length: BodyLength) -> Self {
        let state = match length {
            BodyLength::None | BodyLength::Known(0) => State::End,
            BodyLength::Known(len) => State::Length(len),
            BodyLength::Chunked => START,
            BodyLength::UntilClose => State::UntilClose,
        };
        Self { state, trailers: Vec::new() }
    }

    pub fn is_end(&self) -> bool {
        self.state == State::End
    }

    /// Bytes that are certainly still to come, as far as that is known.
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::End => Some(0),
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// Whether the connection's end is a proper end of this body.
    pub fn may_close(&self) -> bool {
        matches!(self.state, State::End | State::UntilClose)
    }

    /// Takes what it can from the front of `input`. Nothing is copied.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, BadBody> {
        loop {
            match &mut self.state {
                State::End => return Ok(Decoded::End),
                _ if input.is_empty() => return Ok(Decoded::More),
                State::UntilClose => return Ok(Decoded::Data(input.split().freeze())),
                State::Length(left) => {
                    let data = take(input, *left);
                    *left -= data.len() as u64;
                    if *left == 0 {
                        self.state = State::End;
                    }
                    return Ok(Decoded::Data(data));
                }
                State::Data { left } => {
                    let data = take(input, *left);
                    *left -= data.len() as u64;
                    if *left == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Decoded::Data(data));
                }
                _ => {
                    if let Some(trailers) = self.between(input)? {
                        return Ok(trailers);
                    }
                }
            }
        }
    }

    /// What is around the data, as far as it has come. Something only at the end.
    fn between(&mut self, input: &mut BytesMut) -> Result<Option<Decoded>, BadBody> {
        let mut used = 0;
        for byte in input.iter() {
            used += 1;
            self.state = self.byte(*byte)?;
            if matches!(self.state, State::End | State::Data { .. }) {
                break;
            }
        }
        input.advance(used);
        if self.state != State::End || self.trailers.is_empty() {
            return Ok(None);
        }
        Ok(Some(Decoded::Trailers(parse_trailers(&self.trailers)?)))
    }

    fn byte(&mut self, byte: u8) -> Result<State, BadBody> {
        Ok(match (self.state, byte) {
            (State::Size { digits, len }, digit) if digit.is_ascii_hexdigit() && digits < CHUNK_DIGITS_MAX => {
                let value = char::from(digit).to_digit(16).map_or(0, u64::from);
                State::Size { digits: digits + 1, len: len << 4 | value }
            }
            (State::Size { digits: 1.., len }, b'\r') => State::SizeEnd { len },
            (State::Size { digits: 1.., len }, b';') => State::Extension { len, noise: 0 },
            (State::Extension { len, .. }, b'\r') => State::SizeEnd { len },
            (State::Extension { len, noise }, byte) if is_text(byte) && noise < NOISE_MAX => {
                State::Extension { len, noise: noise + 1 }
            }
            (State::SizeEnd { len: 0 }, b'\n') => State::Trailer { at_start: true },
            (State::SizeEnd { len }, b'\n') => State::Data { left: len },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => START,
            (State::Trailer { at_start }, b'\r') => State::TrailerEnd { last: at_start },
            (State::Trailer { .. }, byte) if is_text(byte) && self.trailers.len() < NOISE_MAX => {
                self.trailers.push(byte);
                State::Trailer { at_start: false }
            }
            (State::TrailerEnd { last: true }, b'\n') => State::End,
            (State::TrailerEnd { last: false }, b'\n') => {
                self.trailers.push(b'\n');
                State::Trailer { at_start: true }
            }
            _ => return Err(BadBody),
        })
    }
}

fn take(input: &mut BytesMut, most: u64) -> Bytes {
    input.split_to(input.len().min(usize::try_from(most).unwrap_or(usize::MAX))).freeze()
}

/// Fields that change what a message means, or where it ends, are of no use after it (RFC 9110, 6.5.1): they are left out.
fn parse_trailers(lines: &[u8]) -> Result<HeaderMap, BadBody> {
    let mut trailers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let colon = memchr::memchr(b':', line).ok_or(BadBody)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if !is_token(name) || !is_field_value(value) {
            return Err(BadBody);
        }
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else {
            return Err(BadBody);
        };
        if may_trail(&name) {
            trailers.append(name, value);
        }
    }
    Ok(trailers)
}

fn may_trail(name: &HeaderName) -> bool {
    let never = [
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::COOKIE,
        header::EXPECT,
        header::HOST,
        header::SET_COOKIE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    !never.contains(name) && !name.as_str().starts_with("x-forwarded-") && !name.as_str().starts_with("ringway-")
}

#[cfg(test)]
mod tests;
