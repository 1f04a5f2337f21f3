//! Driver: answers other nodes' questions about blobs.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_catalog::BlobId;
use ringway_ports::PeerHandler;
use ringway_ring::NodeId;
use tokio::time::Instant;

use super::disk::{Disk, Incoming};
use super::message::{self, Answer, PIECE_LEN, Question};

/// Blobs that may be coming in at once.
const INCOMING_MAX: usize = 64;
/// A sender that is silent for longer has given up.
const INCOMING_AGE_MAX: Duration = Duration::from_secs(60);

/// What is coming in, by sender and blob, each with when its last piece came.
type Arriving = HashMap<(NodeId, BlobId), (Instant, Incoming)>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Answers {
    disk: Disk,
    incoming: Arc<Mutex<Arriving>>,
}

impl Answers {
    pub fn new(disk: Disk) -> Self {
        Self { disk, incoming: Arc::default() }
    }

    async fn answer(self, from: NodeId, body: Bytes) -> Result<Bytes, String> {
        let (question, bytes) = message::decode(body)?;
        let answered = match question {
            Question::Put { id, offset, total } => {
                self.take(from, id, offset, total, bytes).await.map(|answer| message::encode(&answer, &[]))
            }
            Question::Get { id, offset } => self.give(id, offset).await,
        };
        answered.map_err(|e| format!("disk: {e}"))
    }

    async fn give(&self, id: BlobId, offset: u64) -> io::Result<Bytes> {
        match self.disk.len(id).await? {
            Some(total) => {
                Ok(message::encode(&Answer::Piece { total }, &self.disk.read_piece(id, offset, PIECE_LEN).await?))
            }
            None => Ok(message::encode(&Answer::Unknown, &[])),
        }
    }

    async fn take(&self, from: NodeId, id: BlobId, offset: u64, total: u64, bytes: Bytes) -> io::Result<Answer> {
        if self.disk.len(id).await? == Some(total) && self.disk.is_whole(id).await? {
            return Ok(Answer::Have);
        }
        let begun = self.begun(from, id);
        let incoming = match begun {
            _ if offset == 0 => self.disk.incoming(id).await?,
            Some(incoming) if incoming.len() == offset => incoming,
            _ => return Err(io::Error::other("a piece is missing: start again")),
        };
        let incoming = incoming.append(bytes).await?;
        if incoming.len() < total {
            self.keep(from, id, incoming)?;
            return Ok(Answer::Continue);
        }
        if incoming.finish().await? {
            Ok(Answer::Have)
        } else {
            Err(io::Error::other("the bytes are not those of the blob"))
        }
    }

    fn begun(&self, from: NodeId, id: BlobId) -> Option<Incoming> {
        let mut all = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(from, id)).map(|(_, incoming)| incoming)
    }

    fn keep(&self, from: NodeId, id: BlobId, incoming: Incoming) -> io::Result<()> {
        let mut all = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (since, _)| since.elapsed() < INCOMING_AGE_MAX);
        if all.len() >= INCOMING_MAX {
            return Err(io::Error::other("too many blobs are coming in"));
        }
        all.insert((from, id), (Instant::now(), incoming));
        Ok(())
    }
}

impl PeerHandler for Answers {
    fn handle(&self, from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        self.clone().answer(from, body).boxed()
    }
}
