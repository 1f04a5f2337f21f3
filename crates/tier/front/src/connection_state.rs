//! Driver: what the parts that look after one connection tell each other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ringway_ring::NodeId;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::gate::Gate;

/// Shared by `intake`, which reads, and `service`, which answers.
#[derive(Debug)]
pub struct ConnectionState {
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub tls: bool,
    /// The node at the other end, if it is one.
    pub peer: Option<NodeId>,
    /// One too many: it is only told so.
    pub surplus: bool,
    pub gate: Gate,
    in_flight: AtomicUsize,
    opened: Instant,
    /// When the last answer was gone, after `opened`.
    answered_ms: AtomicU64,
    fault: Mutex<Option<Fault>>,
}

impl ConnectionState {
    pub fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            client,
            server,
            tls: false,
            peer: None,
            surplus: false,
            gate: Gate::default(),
            in_flight: AtomicUsize::new(0),
            opened: Instant::now(),
            answered_ms: AtomicU64::new(0),
            fault: Mutex::default(),
        }
    }

    /// A request was read; [`ConnectionState::answered`] follows when its answer is gone.
    pub fn asked(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub fn answered(&self) {
        self.answered_ms.store(self.opened.elapsed().as_millis() as u64, Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    /// Since when there was nothing to do, if there is nothing now.
    pub fn idle_since(&self) -> Instant {
        self.opened + Duration::from_millis(self.answered_ms.load(Ordering::Relaxed))
    }

    /// `intake` will not let the next request through, for this reason.
    pub fn refuse(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    pub fn take_refusal(&self) -> Option<Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
