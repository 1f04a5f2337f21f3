//! Driver: bodies with a guard at their side: a limit, a clock, somebody to tell when they end.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use ringway_ports::{Body, BodyError};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::fault::Fault;

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// Fires when something has been waited for too long in one go.
#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Patience {
    pub fn new(limit: Duration) -> Self {
        Self { limit, timer: None, waiting: false }
    }

    /// It came.
    pub fn rest(&mut self) {
        self.waiting = false;
    }

    /// Still waiting: ready when that is too long.
    pub fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = Instant::now() + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx)
    }
}

/// How a request's body is getting on, for those who wait for the answer.
#[derive(Debug)]
pub struct Upload {
    started: Instant,
    last_ms: AtomicU64,
    fault: Mutex<Option<Fault>>,
}

impl Upload {
    pub fn new() -> Self {
        Self { started: Instant::now(), last_ms: AtomicU64::new(0), fault: Mutex::default() }
    }

    /// When the last piece went through.
    pub fn last_progress(&self) -> Instant {
        self.started + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    /// What was wrong with the body, if that is why there is no answer.
    pub fn fault(&self) -> Option<Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn progress(&self) {
        self.last_ms.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn fail(&self, fault: Fault) -> BodyError {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.clone());
        Box::new(fault)
    }
}

/// A client's body on its way to an app: no longer than the limit, and never silent for too long.
pub struct RequestBody {
    inner: Body,
    limit: u64,
    left: u64,
    patience: Patience,
    upload: Arc<Upload>,
}

impl RequestBody {
    pub fn new(inner: Body, limit: u64, patience: Duration, upload: Arc<Upload>) -> Self {
        Self { inner, limit, left: limit, patience: Patience::new(patience), upload }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            ready!(this.patience.poll_lost(cx));
            return Poll::Ready(Some(Err(this.upload.fail(Fault::SlowBody(this.patience.limit)))));
        };
        this.patience.rest();
        this.upload.progress();
        let Some(frame) = frame else { return Poll::Ready(None) };
        let Ok(frame) = frame else {
            return Poll::Ready(Some(Err(this
                .upload
                .fail(Fault::BadRequest("the body is malformed or was cut short")))));
        };
        let len = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = this.left.checked_sub(len) else {
            return Poll::Ready(Some(Err(this.upload.fail(Fault::BodyTooLarge(this.limit)))));
        };
        this.left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Told how a response body ended.
pub trait Ending: Send + 'static {
    /// To its last byte.
    fn complete(&mut self) {}
    /// It broke off. Neither is called when the client goes away first.
    fn broken(&mut self) {}
}

/// A body, and somebody who is told when it ends and dropped after it.
pub struct Watched<E: Ending> {
    inner: Body,
    ending: E,
    told: bool,
    patience: Option<Patience>,
}

impl<E: Ending> Watched<E> {
    /// `patience`: how long the body may be silent.
    pub fn new(inner: Body, ending: E, patience: Option<Duration>) -> Self {
        let mut watched = Self { inner, ending, told: false, patience: patience.map(Patience::new) };
        if watched.inner.is_end_stream() {
            watched.complete();
        }
        watched
    }

    fn complete(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            self.ending.complete();
        }
    }

    fn broken(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            self.ending.broken();
        }
    }
}

impl<E: Ending + Unpin> HttpBody for Watched<E> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        match (&polled, &mut this.patience) {
            (Poll::Ready(Some(Err(_))), _) => this.broken(),
            (Poll::Ready(None), _) => this.complete(),
            (Poll::Ready(_), patience) => {
                patience.iter_mut().for_each(Patience::rest);
                if this.inner.is_end_stream() {
                    this.complete();
                }
            }
            (Poll::Pending, Some(patience)) => {
                ready!(patience.poll_lost(cx));
                let limit = patience.limit;
                this.broken();
                return Poll::Ready(Some(Err(format!("the body was silent for {limit:?}").into())));
            }
            (Poll::Pending, None) => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
