//! Core: what is on its way to one client that listens. A client that reads too slowly is cut off, by Redis' default limits for such
//! clients (`client-output-buffer-limit pubsub 32mb 8mb 60`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ringway_protocol::resp::Out;
use tokio::sync::Notify;

use super::Publication;

/// A client with more than this waiting is cut off at once,
const BYTES_MAX: usize = 32 << 20;
/// and one that has had more than this waiting
const BYTES_FOR_LONG_MAX: usize = 8 << 20;
/// for so long.
const LONG_MS: u64 = 60_000;
/// What a message takes besides its words, about.
const MESSAGE_BYTES: usize = 64;

/// A message for one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pattern: Option<Bytes>,
    channel: Bytes,
    message: Bytes,
    is_sharded: bool,
}

impl News {
    pub(crate) fn plain(said: &Publication) -> Self {
        let Publication { channel, message, is_sharded } = said.clone();
        Self { pattern: None, channel, message, is_sharded }
    }

    pub(crate) fn by_pattern(pattern: &Bytes, said: &Publication) -> Self {
        Self { pattern: Some(pattern.clone()), ..Self::plain(said) }
    }

    fn len(&self) -> usize {
        self.pattern.as_ref().map_or(0, Bytes::len) + self.channel.len() + self.message.len() + MESSAGE_BYTES
    }

    pub(crate) fn write(&self, out: &mut Out) {
        match &self.pattern {
            Some(pattern) => {
                out.push(4);
                out.bulk(b"pmessage");
                out.bulk(pattern);
            }
            None => {
                out.push(3);
                out.bulk(if self.is_sharded { b"smessage" } else { b"message" });
            }
        }
        out.bulk(&self.channel);
        out.shared(&self.message);
    }
}

#[derive(Debug)]
pub(crate) struct Inbox {
    id: u64,
    is_cut: AtomicBool,
    waiting: Mutex<Waiting>,
    arrived: Notify,
    cut: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    news: VecDeque<News>,
    bytes: usize,
    /// Since when there is much.
    much_since_ms: Option<u64>,
}

impl Inbox {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            is_cut: AtomicBool::new(false),
            waiting: Mutex::default(),
            arrived: Notify::new(),
            cut: Notify::new(),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether the client still gets messages.
    pub(crate) fn put(&self, news: News, now_ms: u64) -> bool {
        if self.is_cut.load(Ordering::Acquire) {
            return false;
        }
        let mut waiting = self.lock();
        waiting.bytes += news.len();
        waiting.news.push_back(news);
        let is_much = waiting.bytes > BYTES_FOR_LONG_MAX;
        waiting.much_since_ms = is_much.then(|| waiting.much_since_ms.unwrap_or(now_ms));
        let is_for_long = waiting.much_since_ms.is_some_and(|since| now_ms.saturating_sub(since) > LONG_MS);
        if waiting.bytes > BYTES_MAX || is_for_long {
            *waiting = Waiting::default();
            self.is_cut.store(true, Ordering::Release);
            metrics::counter!("ringway_data_slow_listeners_cut_total").increment(1);
            self.cut.notify_one();
        }
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// The next ones, of about so many bytes.
    pub(crate) fn take(&self, bytes: usize) -> Vec<News> {
        let mut waiting = self.lock();
        let (mut taken, mut len) = (Vec::new(), 0);
        while len < bytes
            && let Some(news) = waiting.news.pop_front()
        {
            len += news.len();
            taken.push(news);
        }
        waiting.bytes -= len;
        if waiting.bytes <= BYTES_FOR_LONG_MAX {
            waiting.much_since_ms = None;
        }
        taken
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }

    /// Completes when something has arrived since the last time. Cancel-safe.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Completes when the client is to be cut off. Cancel-safe.
    pub(crate) async fn is_to_be_cut(&self) {
        while !self.is_cut() {
            self.cut.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
