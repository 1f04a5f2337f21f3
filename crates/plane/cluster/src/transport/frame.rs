//! Core: frames, the unit of what nodes say to each other on a `ringway-peer/1` connection.
//!
//! `u32` length of what follows, `u8` kind, `u8` service, `u64` request id, body; big-endian. The side that dialled asks, the
//! other answers; answers may overtake each other.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ringway_ports::peers::MESSAGE_MAX;
use thiserror::Error;

const LEN_LEN: usize = 4;
const HEADER_LEN: usize = 10;

/// The number is on the wire: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The dialler says where it listens: a postcard `SocketAddr`.
    Hello = 1,
    Request = 2,
    Answer = 3,
    /// The handler's error, as text.
    Failure = 4,
    /// The handler was not asked: too much is under way.
    Busy = 5,
    /// Wants no answer.
    Tell = 6,
    /// The dialler's wall clock in milliseconds, `u64`.
    Ping = 7,
    /// The answerer's.
    Pong = 8,
    /// The dialler is not in the answerer's catalog, whose revision is the body, `u64`. The connection ends.
    Refused = 9,
}

impl Kind {
    fn from_wire(number: u8) -> Option<Self> {
        use Kind::*;
        [Hello, Request, Answer, Failure, Busy, Tell, Ping, Pong, Refused]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub service: u8,
    pub id: u64,
    pub body: Bytes,
}

/// The other side does not speak our protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    #[error("a frame of {0} bytes is outside the limits")]
    BadLength(usize),
    #[error("unknown frame kind {0}")]
    BadKind(u8),
}

impl Frame {
    pub fn new(kind: Kind, service: u8, id: u64, body: Bytes) -> Self {
        Self { kind, service, id, body }
    }

    /// Without service and id.
    pub fn bare(kind: Kind, body: impl Into<Bytes>) -> Self {
        Self::new(kind, 0, 0, body.into())
    }

    /// All but the body, which large frames send without copying it.
    pub fn put_header(&self, out: &mut BytesMut) {
        out.put_u32((HEADER_LEN + self.body.len()) as u32);
        out.put_u8(self.kind as u8);
        out.put_u8(self.service);
        out.put_u64(self.id);
    }

    /// Takes a whole frame off the front, if there is one.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        let Some(prefix) = buffer.first_chunk::<LEN_LEN>() else { return Ok(None) };
        let len = u32::from_be_bytes(*prefix) as usize;
        if !(HEADER_LEN..=HEADER_LEN + MESSAGE_MAX).contains(&len) {
            return Err(FrameError::BadLength(len));
        }
        if buffer.len() < LEN_LEN + len {
            buffer.reserve(LEN_LEN + len - buffer.len());
            return Ok(None);
        }
        let mut frame = buffer.split_to(LEN_LEN + len).freeze();
        frame.advance(LEN_LEN);
        let kind = frame.get_u8();
        let kind = Kind::from_wire(kind).ok_or(FrameError::BadKind(kind))?;
        Ok(Some(Self { kind, service: frame.get_u8(), id: frame.get_u64(), body: frame }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(frame: &Frame) -> BytesMut {
        let mut out = BytesMut::new();
        frame.put_header(&mut out);
        out.put_slice(&frame.body);
        out
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let first = Frame::new(Kind::Request, 4, 77, Bytes::from_static(b"hello"));
        let second = Frame::bare(Kind::Ping, Bytes::new());
        let mut whole = bytes_of(&first);
        whole.extend_from_slice(&bytes_of(&second));
        for cut in 0..whole.len() {
            let mut buffer = BytesMut::from(&whole[..cut]);
            let mut seen = vec![];
            while let Some(frame) = Frame::take(&mut buffer).unwrap() {
                seen.push(frame);
            }
            buffer.extend_from_slice(&whole[cut..]);
            while let Some(frame) = Frame::take(&mut buffer).unwrap() {
                seen.push(frame);
            }
            assert_eq!(seen, [first.clone(), second.clone()], "cut at {cut}");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_waited_for() {
        let mut buffer = BytesMut::from(&u32::MAX.to_be_bytes()[..]);
        assert_eq!(Frame::take(&mut buffer), Err(FrameError::BadLength(u32::MAX as usize)));
        let mut short = BytesMut::from(&3u32.to_be_bytes()[..]);
        assert_eq!(Frame::take(&mut short), Err(FrameError::BadLength(3)));
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        let mut bytes = bytes_of(&Frame::bare(Kind::Ping, Bytes::new()));
        bytes[4] = 99;
        assert_eq!(Frame::take(&mut bytes), Err(FrameError::BadKind(99)));
    }
}
