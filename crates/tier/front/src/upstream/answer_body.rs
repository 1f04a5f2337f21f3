//! Driver: the body of an upstream's answer, read as whoever gets it wants it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use ringway_ports::{Body, BodyError, empty, full};
use ringway_protocol::http1::{BodyDecoder, Decoded};

use super::sending::Upload;
use super::wire::Wire;
use crate::bodies::Patience;

/// Told how an answer ended.
pub trait AnswerEnd: Send + Unpin + 'static {
    /// To its last byte. The connection, if it can be used again.
    fn complete(&mut self, wire: Option<Wire>);
    /// It broke off. Neither is called when the client goes away first.
    fn broken(&mut self);
}

pub struct AnswerBody<E: AnswerEnd> {
    wire: Option<Wire>,
    decoder: BodyDecoder,
    upload: Upload,
    keeps_alive: bool,
    patience: Patience,
    end: E,
}

impl<E: AnswerEnd> AnswerBody<E> {
    /// `patience`: how long the upstream may be silent. A body that is there already is all that is made.
    pub fn begin(
        (mut wire, mut decoder, upload): (Wire, BodyDecoder, Upload),
        keeps_alive: bool,
        patience: Duration,
        mut end: E,
    ) -> Body {
        let is_here = decoder.left().is_some_and(|left| left <= wire.read.len() as u64);
        if is_here && upload.is_over() {
            let body = match decoder.decode(&mut wire.read) {
                Ok(Decoded::Data(bytes)) => full(bytes),
                _ => empty(),
            };
            end.complete(reusable(wire, keeps_alive));
            return body;
        }
        let patience = Patience::new(patience);
        Body::new(Self { wire: Some(wire), decoder, upload, keeps_alive, patience, end })
    }

    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Decoded>> {
        let Some(wire) = &mut self.wire else { return Poll::Ready(Ok(Decoded::End)) };
        if !self.upload.is_over()
            && let Poll::Ready(Err(_)) = self.upload.poll_send(wire, cx, &mut false)
        {
            // It does not want the rest. Its answer counts, its connection is not used again.
            self.upload = Upload::default();
            self.keeps_alive = false;
        }
        loop {
            match self.decoder.decode(&mut wire.read).map_err(io::Error::other)? {
                Decoded::More => {}
                decoded => return Poll::Ready(Ok(decoded)),
            }
            if ready!(wire.poll_read(cx, false))? == 0 {
                let ended =
                    if self.decoder.may_close() { Ok(Decoded::End) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
                return Poll::Ready(ended);
            }
        }
    }

    fn complete(&mut self) {
        if let Some(wire) = self.wire.take() {
            let is_over = self.upload.is_over() && self.decoder.is_end();
            self.end.complete(reusable(wire, self.keeps_alive && is_over));
        }
    }

    fn broken(&mut self) {
        if self.wire.take().is_some() {
            self.end.broken();
        }
    }
}

/// What came behind the answer was not asked for.
fn reusable(mut wire: Wire, keeps_alive: bool) -> Option<Wire> {
    let is_clean = keeps_alive && wire.read.is_empty();
    wire.rest();
    is_clean.then_some(wire)
}

impl<E: AnswerEnd> HttpBody for AnswerBody<E> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let decoded = match this.poll_decoded(cx) {
            Poll::Ready(decoded) => decoded,
            Poll::Pending => {
                ready!(this.patience.poll_lost(cx));
                Err(io::Error::new(io::ErrorKind::TimedOut, "the body was silent for too long"))
            }
        };
        this.patience.rest();
        Poll::Ready(match decoded {
            Ok(Decoded::Data(bytes)) => {
                if this.decoder.is_end() {
                    this.complete();
                }
                Some(Ok(Frame::data(bytes)))
            }
            Ok(Decoded::Trailers(trailers)) => {
                this.complete();
                Some(Ok(Frame::trailers(trailers)))
            }
            Ok(Decoded::End | Decoded::More) => {
                this.complete();
                None
            }
            Err(error) => {
                this.broken();
                Some(Err(error.into()))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.wire.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
