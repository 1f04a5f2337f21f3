//! What can go wrong between caches. A request never sees it: the worst that a cache can do to one is not to help.

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    #[error("message is not understood ({0}): do all nodes run the same version?")]
    Message(String),
    /// Safe to try again.
    #[error("has not heard of all purges yet")]
    Behind,
    #[error("the cache tier has stopped")]
    Stopped,
}
