//! Core: bytes on their way to a socket: heads and small pieces in one buffer, a large piece behind them as it is.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Pieces up to this size are copied behind what is there: one short write is cheaper than one of many parts.
const COPIED_MAX: usize = 16 << 10;
/// A buffer that has grown beyond is not kept.
const KEPT_MAX: usize = 32 << 10;

#[derive(Debug, Default)]
pub struct Outbox {
    buffer: Vec<u8>,
    at: usize,
    piece: Bytes,
    /// What comes behind the piece.
    tail: &'static [u8],
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.at == self.buffer.len() && self.piece.is_empty() && self.tail.is_empty()
    }

    /// Whether more may be put in before what is there has gone: the piece is the last.
    pub fn has_room(&self) -> bool {
        self.piece.is_empty() && self.tail.is_empty() && self.buffer.len() - self.at < COPIED_MAX
    }

    /// To write heads and the like into. Only while it [has room](Outbox::has_room).
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        &mut self.buffer
    }

    pub fn push(&mut self, piece: Bytes, tail: &'static [u8]) {
        if piece.len() <= COPIED_MAX {
            let buffer = self.buffer();
            buffer.extend_from_slice(&piece);
            buffer.extend_from_slice(tail);
        } else {
            (self.piece, self.tail) = (piece, tail);
        }
    }

    pub fn slices(&self) -> [IoSlice<'_>; 3] {
        [IoSlice::new(&self.buffer[self.at..]), IoSlice::new(&self.piece), IoSlice::new(self.tail)]
    }

    /// The first of what is to go, if there is nothing else.
    pub fn only_slice(&self) -> Option<&[u8]> {
        (self.piece.is_empty() && self.tail.is_empty()).then_some(&self.buffer[self.at..])
    }

    /// So many bytes have gone.
    pub fn advance(&mut self, mut bytes: usize) {
        let buffered = bytes.min(self.buffer.len() - self.at);
        self.at += buffered;
        bytes -= buffered;
        let from_piece = bytes.min(self.piece.len());
        self.piece.advance(from_piece);
        bytes -= from_piece;
        self.tail = &self.tail[bytes.min(self.tail.len())..];
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        if self.is_empty() {
            self.piece = Bytes::new();
        }
    }

    pub fn has_buffer(&self) -> bool {
        self.buffer.capacity() > 0
    }

    /// Makes a buffer that somebody else has used the own one, while there is nothing in either.
    pub fn lend(&mut self, buffer: Vec<u8>) {
        if self.buffer.capacity() == 0 {
            (self.buffer, self.at) = (buffer, 0);
        }
    }

    /// Gives the empty buffer away, if it is worth keeping.
    pub fn take_back(&mut self) -> Option<Vec<u8>> {
        let buffer = std::mem::take(&mut self.buffer);
        self.at = 0;
        (1..=KEPT_MAX).contains(&buffer.capacity()).then_some(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(out: &mut Outbox, step: usize) -> Vec<u8> {
        let mut gone = Vec::new();
        while !out.is_empty() {
            let all: Vec<u8> = out.slices().iter().flat_map(|slice| slice.to_vec()).collect();
            let now = step.min(all.len());
            gone.extend_from_slice(&all[..now]);
            out.advance(now);
        }
        gone
    }

    #[test]
    fn all_goes_out_in_order_in_whatever_steps() {
        for (len, step) in [(10, 1), (10, 100), (COPIED_MAX + 1, 7), (COPIED_MAX + 1, 1 << 20)] {
            let mut out = Outbox::default();
            out.buffer().extend_from_slice(b"head");
            assert!(out.has_room());
            out.push(vec![b'x'; len].into(), b"\r\n");
            assert_eq!(out.has_room(), len < COPIED_MAX);
            let expected = [&b"head"[..], &vec![b'x'; len], b"\r\n"].concat();
            assert_eq!(drained(&mut out, step), expected);
            out.buffer().extend_from_slice(b"next");
            assert_eq!(drained(&mut out, 3), b"next");
        }
    }
}
