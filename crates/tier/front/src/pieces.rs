//! Driver: a body made of pieces that are in memory or in a file.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use ringway_ports::BodyError;

use crate::file_body::FileBody;

pub enum Piece {
    Bytes(Bytes),
    File(FileBody),
}

pub struct Pieces {
    left: VecDeque<Piece>,
    len: u64,
}

impl Pieces {
    /// `len`: of all together.
    pub fn new(pieces: impl IntoIterator<Item = Piece>, len: u64) -> Self {
        Self { left: pieces.into_iter().collect(), len }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            let frame = match this.left.front_mut() {
                None => return Poll::Ready(None),
                Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(std::mem::take(bytes)))),
                Some(Piece::File(body)) => ready!(Pin::new(&mut *body).poll_frame(cx)),
            };
            if matches!(this.left.front(), Some(Piece::Bytes(_))) || frame.is_none() {
                this.left.pop_front();
            }
            let Some(frame) = frame else { continue };
            let len = frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
            this.len = this.len.saturating_sub(len as u64);
            return Poll::Ready(Some(frame));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}
