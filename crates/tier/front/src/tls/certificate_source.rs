//! Port: where certificates come from. Files and the local authority are two; ACME will be the third.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::sign::CertifiedKey;

use super::expiry::Expiry;

/// Something that is not as it should be, for the log. The text says what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The file or name that it is about.
    pub about: String,
    pub text: String,
}

/// A directory, with or without those in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    pub dir: PathBuf,
    pub deep: bool,
}

/// Asked by every handshake, refreshed by `watch`.
pub trait CertificateSource: Debug + Send + Sync {
    /// For a server name in lower case. On a front thread, within a handshake: nothing is read here and nobody is waited for.
    fn find(&self, name: &str) -> Option<Arc<CertifiedKey>>;

    /// For clients that name nobody, or somebody unknown.
    fn default_one(&self) -> Option<Arc<CertifiedKey>>;

    /// Brings itself up to date, on a thread that may wait. What cannot be used is told, and what was there before stays.
    fn refresh(&self, now: Duration) -> Vec<Trouble>;

    /// Directories in which a change means that there is something to refresh.
    fn watched(&self) -> Vec<Watched>;

    /// What somebody has to renew.
    fn expiries(&self) -> Vec<Expiry>;
}
