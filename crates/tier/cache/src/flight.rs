//! Core: one fetch of an address, and those who wait for it.
//!
//! Until its head has come nobody knows whether it can be shared, and with whom (`Vary`). Then those who wait are told at once:
//! read along, use this, or look again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use ringway_ports::{Body, HitKind, Waited};
use tokio::sync::watch;

use crate::entry::Entry;
use crate::policy::vary::{self, Selecting};
use crate::shared_body::SharedBody;

/// More would rather be told at once that too much is going on.
const WAITING_MAX: usize = 10_000;

#[derive(Clone)]
pub(crate) enum Outcome {
    Streaming(Arc<Streaming>),
    /// What is stored is used, if it is of the right variant.
    Hit(Arc<Entry>, HitKind),
    /// It cannot be shared, or there is none.
    Again,
}

/// An answer on its way in.
pub(crate) struct Streaming {
    pub(crate) status: StatusCode,
    /// As they will be stored.
    pub(crate) headers: HeaderMap,
    pub(crate) age_seconds: u64,
    pub(crate) selecting: Selecting,
    pub(crate) body: Arc<SharedBody>,
}

pub(crate) struct Flight {
    pub(crate) id: u64,
    outcome: watch::Sender<Option<Outcome>>,
    waiting: AtomicUsize,
}

/// Somebody's place among those who wait.
pub(crate) struct Seat {
    flight: Arc<Flight>,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Flight {
    pub(crate) fn new(id: u64) -> Arc<Self> {
        Arc::new(Self { id, outcome: watch::Sender::new(None), waiting: AtomicUsize::new(0) })
    }

    /// Once; later ones change nothing.
    pub(crate) fn land(&self, outcome: Outcome) {
        self.outcome.send_if_modified(|landed| {
            let is_first = landed.is_none();
            if is_first {
                *landed = Some(outcome);
            }
            is_first
        });
    }

    /// Whether such a request may hope for it.
    pub(crate) fn is_joinable(&self, request: &HeaderMap) -> bool {
        match &*self.outcome.borrow() {
            None => true,
            Some(Outcome::Streaming(it)) => vary::matches(&it.selecting, request) && it.body.is_joinable(),
            Some(_) => false,
        }
    }

    pub(crate) fn has_landed(&self) -> bool {
        self.outcome.borrow().is_some()
    }

    /// `None`: too many wait.
    pub(crate) fn join(self: &Arc<Self>) -> Option<Seat> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Seat { flight: Arc::clone(self), outcome: self.outcome.subscribe() })
    }
}

impl Seat {
    /// What such a request is to do. Cancel-safe.
    pub(crate) async fn wait(mut self, request: &HeaderMap) -> Waited {
        let outcome = match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => return Waited::Again,
        };
        match outcome {
            Some(Outcome::Streaming(it)) if vary::matches(&it.selecting, request) => it.answer(),
            Some(Outcome::Hit(entry, kind)) if vary::matches(&entry.selecting, request) => Waited::Hit(entry.hit(kind)),
            _ => Waited::Again,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.flight.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Streaming {
    fn answer(&self) -> Waited {
        let Some(body) = self.body.join() else { return Waited::Again };
        Waited::Answer(self.response(body))
    }

    fn response(&self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        if self.age_seconds > 0 {
            response.headers_mut().insert(header::AGE, HeaderValue::from(self.age_seconds));
        }
        response
    }
}
