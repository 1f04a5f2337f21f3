//! Why a node does not start.

use std::io;
use std::path::PathBuf;

use ringway_rt::net::ListenError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("{}", crate::doors::show(.0))]
    Doors(Vec<ListenError>),
    #[error("a socket fails: {0}")]
    Socket(io::Error),
    #[error("the data directory {} cannot be used: {source}", path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error("another node uses the data directory {}: stop that one, or give this one its own with --data", path.display())]
    DataDirInUse { path: PathBuf },
    #[error("this node is a member of a cluster already; `ringway node --data {}` starts it; to join another, use a new data directory", path.display())]
    Member { path: PathBuf },
    #[error(transparent)]
    Cluster(#[from] ringway_cluster::Error),
    #[error("the front end: {0}")]
    Front(#[from] ringway_front::Error),
    #[error("{part} does not start: {reason}")]
    Part { part: &'static str, reason: String },
}

impl Error {
    /// For the parts whose errors nobody tells apart.
    pub fn part(part: &'static str) -> impl Fn(&dyn std::error::Error) -> Error {
        move |error| Error::Part { part, reason: error.to_string() }
    }
}
