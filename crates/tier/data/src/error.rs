//! Why a command was not done, and the one place where that becomes a reply.

use bytes::Bytes;
use ringway_ports::KvError;
use thiserror::Error;

use crate::fail::Fail;

#[derive(Debug, Clone, Error)]
pub enum Error {
    /// The client's.
    #[error("there is no bucket {0}")]
    NoBucket(String),
    /// Nobody's: safe to try again.
    #[error("no replica of the key is reachable: {0}")]
    Unreachable(String),
    /// Not safe to try again if the command is not idempotent.
    #[error("a replica did not answer in time: the command may or may not have been done: {0}")]
    Unknown(String),
    #[error(transparent)]
    Storage(#[from] ringway_engine::Error),
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// As an error reply.
    pub(crate) fn reply(&self) -> Bytes {
        self.fail().reply()
    }

    /// With the codes that clients know from Redis.
    pub(crate) fn fail(&self) -> Fail {
        use ringway_engine::Error as Storage;
        let code = match self {
            Error::Unreachable(_) => "CLUSTERDOWN",
            Error::Storage(Storage::DiskFull { .. } | Storage::Failed(_)) => "MISCONF",
            Error::Storage(Storage::BucketFull { .. }) => "OOM",
            Error::NoBucket(_) | Error::Unknown(_) | Error::Storage(_) | Error::Internal(_) => "ERR",
        };
        Fail::of(format!("{code} {self}"))
    }
}

impl From<Error> for KvError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoBucket(name) => KvError::NoBucket(name),
            other => KvError::Unavailable(other.to_string()),
        }
    }
}
