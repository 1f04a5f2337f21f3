//! Core: why a request was not done, by what the caller can do about it. `reply` turns it into an answer.

use std::time::Duration;

use ringway_catalog::Refusal;
use ringway_manifest::Faults;
use ringway_ports::{BlobError, KvError, ProposeError};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    /// 401, 403
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("this needs the admin token")]
    Unauthorised,
    /// 404, 405: the whole list of what there is would help more than a guess.
    #[error("{0}")]
    NotFound(String),
    #[error("{method} is not possible on {path}")]
    NotAllowed { method: String, path: String, allowed: String },
    /// 400
    #[error("{0}")]
    BadRequest(String),
    /// 413
    #[error("the body is larger than the limit of {0} bytes")]
    TooLarge(u64),
    /// 408
    #[error("the request was not done within {0:?}")]
    TooSlow(Duration),
    /// 422
    #[error("the app cannot be deployed: {}", count(.0))]
    Faults(Faults),
    /// 409
    #[error("{0}")]
    Refused(String),
    /// 503
    #[error("{0}")]
    Unavailable(String),
    /// 503, for want of nodes: the text is the store's.
    #[error("{0}")]
    TooFewCopies(String),
    /// 500. The details are for the log.
    #[error("{0}")]
    Internal(String),
}

fn count(faults: &Faults) -> String {
    match faults.0.len() {
        1 => "1 fault".to_owned(),
        many => format!("{many} faults"),
    }
}

impl From<ProposeError> for Error {
    fn from(error: ProposeError) -> Self {
        use ringway_catalog::Refusal::{NoApp, NoBucket, NoNode, NoRelease};
        match error {
            ProposeError::Refused(refusal @ (NoApp { .. } | NoBucket { .. } | NoNode { .. } | NoRelease { .. })) => {
                Error::NotFound(refusal.to_string())
            }
            ProposeError::Refused(refusal) => Error::Refused(refusal.to_string()),
            ProposeError::NoQuorum(_) | ProposeError::Stopping => Error::Unavailable(error.to_string()),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        ProposeError::Refused(refusal).into()
    }
}

impl From<KvError> for Error {
    fn from(error: KvError) -> Self {
        match error {
            KvError::NoBucket(_) => Error::NotFound(error.to_string()),
            KvError::Unavailable(_) | KvError::Unsupported(_) => Error::Unavailable(error.to_string()),
            KvError::Invalid(_) => Error::BadRequest(error.to_string()),
        }
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::TooFewCopies { .. } => Error::TooFewCopies(error.to_string()),
            BlobError::Io(_) => Error::Internal(error.to_string()),
            _ => Error::Unavailable(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Internal(format!("disk: {error}"))
    }
}
