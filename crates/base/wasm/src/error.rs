//! Core: what can go wrong with a component, said to whoever can do something about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// More variants than usual, because the caller answers and counts each of them differently: the first four fail a
/// deploy, the others one request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} is not a component but {what}; {help}", .path.display())]
    NotAComponent { path: PathBuf, what: String, help: &'static str },
    #[error("{} does not export {export}; build it for the world wasi:http/proxy@0.2", .path.display())]
    MissingExport { path: PathBuf, export: &'static str },
    #[error("{} imports what is not offered here: {why}", .path.display())]
    MissingImport { path: PathBuf, why: String },
    #[error("{} does not compile: {why}", .path.display())]
    Compile { path: PathBuf, why: String },

    #[error("cannot {action} {}: {source}", .path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("webassembly engine failed: {0}")]
    Engine(String),

    #[error("no instance became free within {0:?}")]
    Busy(Duration),
    #[error("component trapped: {0}")]
    Trap(String),
    #[error("component ran longer than {0:?}")]
    Timeout(Duration),
    #[error("component asked for more than {limit} bytes of memory")]
    OutOfMemory { limit: u64 },
    #[error("component ended without a response")]
    NoResponse,
    #[error("component answered with an error: {0}")]
    Refused(String),
    #[error("request was cancelled")]
    Cancelled,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Client,
    App,
    Us,
}

impl Error {
    pub fn fault(&self) -> Fault {
        match self {
            Self::Io { .. } | Self::Engine(_) | Self::Busy(_) => Fault::Us,
            Self::Cancelled => Fault::Client,
            _ => Fault::App,
        }
    }

    /// The component has not seen the request, so that sending it again, here or elsewhere, cannot do anything twice.
    pub fn is_safe_to_retry(&self) -> bool {
        matches!(self, Self::Busy(_))
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// With all causes in one line.
    pub(crate) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine(format!("{error:#}"))
    }
}
