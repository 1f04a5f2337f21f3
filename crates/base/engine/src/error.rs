//! What can go wrong with local storage, and whose turn it is.

use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Clone, Error)]
pub enum Error {
    /// The operator's: nothing was written, reads go on, writes go on as soon as there is room.
    #[error("disk is full: {free} bytes are free in {dir} and {reserve} are kept in reserve; free some space")]
    DiskFull { dir: PathBuf, free: u64, reserve: u64 },
    /// The app's: nothing was written.
    #[error("bucket is at its limit of {limit} bytes on this node")]
    BucketFull { limit: u64 },
    /// The client's: nothing was written.
    #[error("a key of {len} bytes is too long")]
    KeyTooLong { len: usize },
    /// The operator's: the disk did not do as told. What was acknowledged before is safe; no more writes until a restart.
    #[error("disk store failed: {0}; reads go on, restart the node when the disk is well")]
    Failed(String),
    /// A stored cell does not match its checksum.
    #[error("a stored value is damaged: {0}")]
    Damaged(String),
    /// The client's, safe to try again: nothing was written.
    #[error("the disk does not follow: {waiting} bytes wait to be written; try again")]
    Overloaded { waiting: usize },
    #[error("storage is closing")]
    Closed,
}

impl From<fjall::Error> for Error {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Poisoned => Error::Failed("an earlier write failed".to_owned()),
            other => Error::Failed(other.to_string()),
        }
    }
}
