//! Driver: a request's body between the connection that reads it and whoever answers the request: one piece at a time, and only when
//! it is wanted. That is the back pressure, and how it is known when to say `100 Continue`.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use ringway_ports::BodyError;

/// The connection's side.
#[derive(Debug)]
pub struct Uploader(Arc<Shared>);

/// The answerer's side. It may be read on another thread.
#[derive(Debug)]
pub struct UploadBody(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared(Mutex<Slot>);

#[derive(Debug, Default)]
struct Slot {
    frame: Option<Frame<Bytes>>,
    /// Bytes that are still to be handed over, if that is known.
    left: Option<u64>,
    end: Option<Result<(), &'static str>>,
    is_wanted: bool,
    is_gone: bool,
    reader: Option<Waker>,
    feeder: Option<Waker>,
}

/// `left`: the length, if it was said.
pub fn upload(left: Option<u64>) -> (Uploader, UploadBody) {
    let shared = Arc::new(Shared(Mutex::new(Slot { left, ..Slot::default() })));
    (Uploader(Arc::clone(&shared)), UploadBody(shared))
}

impl Shared {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Uploader {
    /// Ready when a piece is wanted; `false` if nobody will want one any more.
    pub fn poll_wanted(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut slot = self.0.slot();
        if slot.is_gone {
            return Poll::Ready(false);
        }
        if slot.is_wanted {
            return Poll::Ready(true);
        }
        if !slot.feeder.as_ref().is_some_and(|feeder| feeder.will_wake(cx.waker())) {
            slot.feeder = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    pub fn push(&self, data: Bytes) {
        self.hand_over(Frame::data(data));
    }

    pub fn push_trailers(&self, trailers: HeaderMap) {
        self.hand_over(Frame::trailers(trailers));
    }

    /// All of it has been handed over, or the rest will never come.
    pub fn end(&self, end: Result<(), &'static str>) {
        let reader = {
            let mut slot = self.0.slot();
            slot.end = Some(end);
            slot.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }

    fn hand_over(&self, frame: Frame<Bytes>) {
        let reader = {
            let mut slot = self.0.slot();
            slot.is_wanted = false;
            slot.frame = Some(frame);
            slot.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Uploader {
    fn drop(&mut self) {
        let is_open = self.0.slot().end.is_none();
        if is_open {
            self.end(Err("the connection has ended"));
        }
    }
}

impl HttpBody for UploadBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut slot = self.0.slot();
        if let Some(frame) = slot.frame.take() {
            let len = frame.data_ref().map_or(0, |data| data.len() as u64);
            slot.left = slot.left.map(|left| left.saturating_sub(len));
            return Poll::Ready(Some(Ok(frame)));
        }
        match slot.end {
            Some(Ok(())) => return Poll::Ready(None),
            Some(Err(why)) => return Poll::Ready(Some(Err(why.into()))),
            None => {}
        }
        slot.reader = Some(cx.waker().clone());
        slot.is_wanted = true;
        let feeder = slot.feeder.take();
        drop(slot);
        feeder.into_iter().for_each(Waker::wake);
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let slot = self.0.slot();
        slot.frame.is_none() && slot.end == Some(Ok(()))
    }

    fn size_hint(&self) -> SizeHint {
        self.0.slot().left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for UploadBody {
    fn drop(&mut self) {
        let feeder = {
            let mut slot = self.0.slot();
            slot.is_gone = true;
            slot.frame = None;
            slot.feeder.take()
        };
        feeder.into_iter().for_each(Waker::wake);
    }
}
