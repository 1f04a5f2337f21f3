//! Core: why the front end could not start.

use std::path::PathBuf;

use ringway_rt::net::ListenError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("{0}")]
    Listen(#[from] ListenError),
    #[error("the certificate {path} cannot be used: {why}")]
    Certificate { path: PathBuf, why: String },
    #[error("a thread of the front end could not be started: {0}")]
    Thread(std::io::Error),
    #[error("the front end was started already")]
    Started,
}
