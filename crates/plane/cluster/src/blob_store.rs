//! Driver: immutable files by their SHA-256, in `<data dir>/blobs/`, on a majority of the nodes and fetched by whoever needs one.
//!
//! A blob is put on this node's disk and then pushed, in pieces, until a majority of the catalog's nodes has it: whoever is left
//! after the loss of a minority, somebody has it. [`serve`] is the other side. Nothing is deleted here.

pub mod disk;
pub mod message;
pub mod serve;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use ringway_catalog::{BlobId, Catalog};
use ringway_ports::{BlobError, Blobs, Membership, Peers, Priority, Reach, Service};
use ringway_ring::NodeId;
use tokio::sync::watch;
use tracing::{info, warn};

use disk::Disk;
use message::{Answer, PIECE_LEN, Question};

const PIECE_WITHIN: Duration = Duration::from_secs(10);
/// Nodes that are pushed to at once.
const PUSHES_MAX: usize = 4;

/// Cheap to clone.
#[derive(Clone)]
pub struct BlobStore {
    inner: Arc<Inner>,
}

struct Inner {
    disk: Disk,
    peers: Arc<dyn Peers>,
    membership: Arc<dyn Membership>,
    catalog: watch::Receiver<Arc<Catalog>>,
    /// Whose bytes have been checked since the process started.
    checked: Mutex<HashSet<BlobId>>,
    /// Held while a blob is looked for, so that those who want the same one wait for it instead of fetching it too.
    lookups: Mutex<HashMap<BlobId, Weak<tokio::sync::Mutex<()>>>>,
}

impl BlobStore {
    pub fn open(
        data_dir: &Path,
        peers: Arc<dyn Peers>,
        membership: Arc<dyn Membership>,
        catalog: watch::Receiver<Arc<Catalog>>,
    ) -> std::io::Result<Self> {
        let disk = Disk::open(&data_dir.join("blobs"))?;
        peers.serve(Service::Blobs, Arc::new(serve::Answers::new(disk.clone())));
        let inner = Inner { disk, peers, membership, catalog, checked: Mutex::default(), lookups: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    async fn put_file(self, file: PathBuf) -> Result<(BlobId, u64), BlobError> {
        let (id, len) = self.inner.disk.take_in(file).await?;
        self.note_checked(id);
        let nodes = self.inner.catalog.borrow().nodes.len().max(1);
        let need = nodes / 2 + 1;
        let mut have = 1;
        let mut why = "no other node is reachable".to_owned();
        let targets = self.others();
        let mut pushes = stream::iter(targets)
            .map(|to| {
                let store = self.clone();
                async move { store.push(to, id, len).await.map_err(|e| format!("{}: {e}", to.short())) }
            })
            .buffer_unordered((need - have).clamp(1, PUSHES_MAX));
        while have < need
            && let Some(pushed) = pushes.next().await
        {
            match pushed {
                Ok(()) => have += 1,
                Err(failure) => why = failure,
            }
        }
        if have < need { Err(BlobError::TooFewCopies { id, have, need, why }) } else { Ok((id, len)) }
    }

    /// Piece by piece. A node that has it already says so at the first.
    async fn push(&self, to: NodeId, id: BlobId, len: u64) -> Result<(), String> {
        let mut offset = 0;
        loop {
            let bytes = self.inner.disk.read_piece(id, offset, PIECE_LEN).await.map_err(|e| e.to_string())?;
            let next = offset + bytes.len() as u64;
            match self.ask(to, &Question::Put { id, offset, total: len }, &bytes).await?.0 {
                Answer::Have => return Ok(()),
                Answer::Continue if next < len => offset = next,
                _ => return Err("it did not take the whole blob".into()),
            }
        }
    }

    async fn get_path(self, id: BlobId) -> Result<PathBuf, BlobError> {
        let lookup = self.lookup(id);
        let _alone = lookup.lock().await;
        let path = self.inner.disk.path(id);
        if self.is_checked(id) && path.exists() {
            return Ok(path);
        }
        let damaged = path.exists() && !self.inner.disk.is_whole(id).await?;
        if path.exists() && !damaged {
            self.note_checked(id);
            return Ok(path);
        }
        if damaged {
            warn!(%id, "a blob on this node's disk is damaged, fetching it anew");
        }
        match self.fetch(id).await? {
            true => Ok(path),
            false if damaged => Err(BlobError::Damaged(id)),
            false => Err(BlobError::Nowhere(id)),
        }
    }

    /// From the first node that has it whole. An error is one of this node's disk.
    async fn fetch(&self, id: BlobId) -> Result<bool, BlobError> {
        for from in self.others() {
            let incoming = self.inner.disk.incoming(id).await?;
            match self.pull(from, id, incoming).await? {
                Ok(()) => {
                    self.note_checked(id);
                    info!(%id, from = %from.short(), "fetched a blob");
                    return Ok(true);
                }
                Err(why) => tracing::debug!(%id, from = %from.short(), why, "not fetched"),
            }
        }
        Ok(false)
    }

    /// The outer error is the disk's, the inner one the other node's.
    async fn pull(
        &self,
        from: NodeId,
        id: BlobId,
        mut incoming: disk::Incoming,
    ) -> Result<Result<(), String>, BlobError> {
        loop {
            let offset = incoming.len();
            let (total, bytes) = match self.ask(from, &Question::Get { id, offset }, &[]).await {
                Ok((Answer::Piece { total }, bytes)) if !bytes.is_empty() || total == 0 => (total, bytes),
                Ok(_) => return Ok(Err("it does not have it".into())),
                Err(why) => return Ok(Err(why)),
            };
            incoming = incoming.append(bytes).await?;
            if incoming.len() >= total {
                let whole = incoming.finish().await?;
                return Ok(if whole { Ok(()) } else { Err("what it sent is damaged".into()) });
            }
        }
    }

    async fn ask(&self, to: NodeId, question: &Question, bytes: &[u8]) -> Result<(Answer, Bytes), String> {
        let body = message::encode(question, bytes);
        let answer = self
            .inner
            .peers
            .call(to, Priority::Bulk, Service::Blobs, body, PIECE_WITHIN)
            .await
            .map_err(|e| e.to_string())?;
        message::decode(answer)
    }

    /// The nodes that may be asked, those that answer for sure first.
    fn others(&self) -> Vec<NodeId> {
        let reachable = self.inner.membership.watch().borrow().clone();
        let catalog = self.inner.catalog.borrow().clone();
        let own_id = self.inner.peers.own_id();
        let reach = |id: &NodeId| reachable.get(id).copied().unwrap_or(Reach::Down);
        let mut ids: Vec<NodeId> =
            catalog.nodes.keys().copied().filter(|id| *id != own_id && reach(id) != Reach::Down).collect();
        ids.sort_by_key(|id| reach(id) != Reach::Up);
        ids
    }

    fn lookup(&self, id: BlobId) -> Arc<tokio::sync::Mutex<()>> {
        let mut lookups = self.inner.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lookup) = lookups.get(&id).and_then(Weak::upgrade) {
            return lookup;
        }
        lookups.retain(|_, lookup| lookup.strong_count() > 0);
        let lookup = Arc::default();
        lookups.insert(id, Arc::downgrade(&lookup));
        lookup
    }

    fn is_checked(&self, id: BlobId) -> bool {
        self.inner.checked.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    fn note_checked(&self, id: BlobId) {
        self.inner.checked.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }
}

impl Blobs for BlobStore {
    fn put(&self, file: PathBuf) -> BoxFuture<'static, Result<(BlobId, u64), BlobError>> {
        self.clone().put_file(file).boxed()
    }

    fn get(&self, id: BlobId) -> BoxFuture<'static, Result<PathBuf, BlobError>> {
        self.clone().get_path(id).boxed()
    }
}
