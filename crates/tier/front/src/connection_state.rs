//! Driver: what the parts that look after one connection tell each other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use ringway_protocol::http1::write_fields;
use ringway_ring::NodeId;
use tokio::time::Instant;

/// What is kept of answers before the answer until they can be sent.
const INTERIM_LEN_MAX: usize = 16 << 10;

/// Shared by the connection and those who answer its requests.
#[derive(Debug)]
pub struct ConnectionState {
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub tls: bool,
    /// The node at the other end, if it is one.
    pub peer: Option<NodeId>,
    /// One too many: it is only told so.
    pub surplus: bool,
    in_flight: AtomicUsize,
    opened: Instant,
    /// When the last answer was gone, after `opened`.
    answered_ms: AtomicU64,
    has_interim: AtomicBool,
    interim: Mutex<Vec<u8>>,
}

impl ConnectionState {
    pub fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            client,
            server,
            tls: false,
            peer: None,
            surplus: false,
            in_flight: AtomicUsize::new(0),
            opened: Instant::now(),
            answered_ms: AtomicU64::new(0),
            has_interim: AtomicBool::new(false),
            interim: Mutex::default(),
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

    /// `103 Early Hints` (RFC 8297), to be sent before the answer. Of HTTP/1.1 only.
    pub fn hint(&self, headers: &HeaderMap) {
        let mut interim = self.interim.lock().unwrap_or_else(PoisonError::into_inner);
        if interim.len() < INTERIM_LEN_MAX {
            interim.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\n");
            write_fields(&mut interim, headers);
            interim.extend_from_slice(b"\r\n");
            self.has_interim.store(true, Ordering::Relaxed);
        }
    }

    /// What is to be sent before the answer.
    pub fn take_interim(&self, out: &mut Vec<u8>) {
        if self.has_interim.swap(false, Ordering::Relaxed) {
            out.append(&mut self.interim.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
