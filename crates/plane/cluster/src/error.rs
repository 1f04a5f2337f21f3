//! Core: what can go wrong while a node finds its place.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use ringway_catalog::Refusal;
use ringway_ports::ProposeError;
use thiserror::Error;

use crate::token::TokenError;

#[derive(Debug, Error)]
pub enum Error {
    /// The user's: another token is needed.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The user's or the network's.
    #[error("nobody answers at {0}: is that node running and reachable from here?")]
    NobodyAnswers(SocketAddr),
    /// Somebody answers there who is not whom the token names.
    #[error(
        "{0} answers with another certificate than the one that the token names: is the address right, and is nobody in between?"
    )]
    OtherCluster(SocketAddr),
    /// The cluster understood and said no; the text is for the user.
    #[error("{0}")]
    Refused(String),
    /// This node's own proposal was not agreed on.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The answer did not arrive: joining again with the same token and data directory is safe.
    #[error("the connection to {address} broke while joining ({why}): try again with the same token")]
    JoinBroken { address: SocketAddr, why: String },
    #[error("{path} is damaged: {why}")]
    Damaged { path: PathBuf, why: String },
    /// The user's: a member without it could vote twice, and what was agreed on be lost.
    #[error(
        "{0} is gone, and with it what this node has agreed to: take it out with `ringway leave --dead NAME` on another node, empty its data directory, and join anew"
    )]
    LogGone(PathBuf),
    #[error("{0} is in use: is another ringway running with this data directory?")]
    InUse(PathBuf),
    #[error("{path}: {source}")]
    Disk { path: PathBuf, source: io::Error },
    /// Ours.
    #[error("{0}")]
    Internal(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}

/// For errors of libraries that cannot happen with input of our own.
pub(crate) fn internal(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Error {
    move |why| Error::Internal(format!("{what}: {why}"))
}
