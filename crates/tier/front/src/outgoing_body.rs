//! Driver: a body on its way out in HTTP/1.1, of a request or of an answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use ringway_ports::{Body, BodyError};
use ringway_protocol::http1::{BodyLength, write_chunk_start, write_last_chunk};

use crate::outbox::Outbox;

/// `None` inside: all of it has been put into the outbox.
#[derive(Debug)]
pub struct OutgoingBody {
    body: Option<Body>,
    length: BodyLength,
    /// Told when all before it has gone out.
    error: Option<BodyError>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// The outbox wants to be emptied first, or is worth emptying.
    Some,
    /// All is in the outbox.
    All,
}

impl OutgoingBody {
    pub fn new(body: Body, length: BodyLength) -> Self {
        Self { body: Some(body), length, error: None }
    }

    pub fn is_over(&self) -> bool {
        self.body.is_none() && self.error.is_none()
    }

    /// Puts the next pieces into the outbox, as long as they are at hand and it has room. Pending only when there is nothing to send.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, out: &mut Outbox) -> Poll<Result<Filled, BodyError>> {
        if let Some(error) = self.error.take_if(|_| out.is_empty()) {
            return Poll::Ready(Err(error));
        }
        self.end_if_complete(cx);
        while out.has_room() {
            let Some(body) = &mut self.body else { break };
            let frame = match Pin::new(body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending if out.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(Filled::Some)),
            };
            if let Err(error) = self.take(frame, out) {
                self.body = None;
                if out.is_empty() {
                    return Poll::Ready(Err(error));
                }
                self.error = Some(error);
            }
            self.end_if_complete(cx);
        }
        Poll::Ready(Ok(if self.is_over() { Filled::All } else { Filled::Some }))
    }

    /// All that was said has come. Whoever makes the body may only now find out that it was the end.
    fn end_if_complete(&mut self, cx: &mut Context<'_>) {
        if [BodyLength::None, BodyLength::Known(0)].contains(&self.length)
            && let Some(mut body) = self.body.take()
        {
            let _ = Pin::new(&mut body).poll_frame(cx);
        }
    }

    fn take(&mut self, frame: Option<Result<Frame<Bytes>, BodyError>>, out: &mut Outbox) -> Result<(), BodyError> {
        let Some(frame) = frame.transpose()? else { return self.end(out, None) };
        match frame.into_data() {
            Ok(data) => self.data(out, data),
            Err(frame) => self.end(out, frame.into_trailers().ok().as_ref()),
        }
    }

    fn data(&mut self, out: &mut Outbox, data: Bytes) -> Result<(), BodyError> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.length {
            BodyLength::Chunked => {
                write_chunk_start(out.buffer(), data.len());
                out.push(data, b"\r\n");
                return Ok(());
            }
            BodyLength::Known(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or("the body is longer than was said")?;
                out.push(data, b"");
                return Ok(());
            }
            BodyLength::UntilClose => out.push(data, b""),
            BodyLength::None => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Outbox, trailers: Option<&http::HeaderMap>) -> Result<(), BodyError> {
        self.body = None;
        match self.length {
            BodyLength::Known(left) if left > 0 => Err("the body is shorter than was said".into()),
            BodyLength::Chunked => {
                write_last_chunk(out.buffer(), trailers);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Waker;

    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    /// A body that tells how often it was asked.
    fn counted(pieces: &[&'static str], asked: &Arc<AtomicUsize>) -> Body {
        let frames: Vec<_> = pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))).collect();
        let asked = Arc::clone(asked);
        let mut frames = frames.into_iter();
        StreamBody::new(futures_util::stream::poll_fn(move |_| {
            asked.fetch_add(1, Ordering::SeqCst);
            Poll::Ready(frames.next())
        }))
        .boxed_unsync()
    }

    fn sent(body: Body, length: BodyLength) -> Result<String, String> {
        let (mut body, mut out) = (OutgoingBody::new(body, length), Outbox::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut text = Vec::new();
        loop {
            match body.poll_fill(&mut cx, &mut out) {
                Poll::Ready(Ok(filled)) => {
                    out.slices().iter().for_each(|slice| text.extend_from_slice(slice));
                    out = Outbox::default();
                    if filled == Filled::All {
                        return Ok(String::from_utf8(text).unwrap());
                    }
                }
                Poll::Ready(Err(error)) => return Err(format!("{} then {error}", String::from_utf8(text).unwrap())),
                Poll::Pending => return Err("waits".to_owned()),
            }
        }
    }

    #[test]
    fn every_body_is_asked_until_it_has_said_that_it_ends() {
        for (pieces, length, expected) in [
            (&["ab", "c"][..], BodyLength::Known(3), "abc"),
            (&["ab", "c"], BodyLength::Chunked, "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
            (&["ab", "c"], BodyLength::UntilClose, "abc"),
            (&[], BodyLength::Known(0), ""),
            (&[], BodyLength::None, ""),
        ] {
            let asked = Arc::default();
            assert_eq!(sent(counted(pieces, &asked), length).unwrap(), expected);
            assert_eq!(asked.load(Ordering::SeqCst), pieces.len() + 1, "{length:?}");
        }
    }

    #[test]
    fn what_does_not_keep_its_word_is_broken_off_behind_what_was_right() {
        let asked = Arc::default();
        assert_eq!(
            sent(counted(&["ab"], &asked), BodyLength::Known(3)).unwrap_err(),
            "ab then the body is shorter than was said"
        );
        let long = sent(counted(&["ab", "cd"], &asked), BodyLength::Known(3)).unwrap_err();
        assert_eq!(long, "ab then the body is longer than was said");
    }
}
