//! Port: immutable files by their SHA-256, kept by several nodes and fetched by whoever needs them.

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use ringway_catalog::BlobId;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum BlobError {
    #[error("{0} is on none of the reachable nodes: are the nodes that took part in the deploy up?")]
    Nowhere(BlobId),
    #[error("only {have} of {need} nodes could keep {id}: {why}")]
    TooFewCopies { id: BlobId, have: usize, need: usize, why: String },
    #[error("{0} is damaged and no other node has it whole")]
    Damaged(BlobId),
    #[error("disk: {0}")]
    Io(#[from] std::io::Error),
}

pub trait Blobs: Send + Sync {
    /// Takes over a file on this node's disk (moved into the store) and copies it to a majority of the nodes.
    fn put(&self, file: PathBuf) -> BoxFuture<'static, Result<(BlobId, u64), BlobError>>;

    /// The path of the blob on this node's disk; fetched from another node if it is not there yet. Read only.
    fn get(&self, id: BlobId) -> BoxFuture<'static, Result<PathBuf, BlobError>>;
}
