//! Core: an app and its releases.

use std::fmt;
use std::str::FromStr;

use ringway_manifest::Manifest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// How many releases of an app are kept for `ringway rollback`.
pub const RELEASES_MAX: usize = 10;

/// An app with the releases one can go back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct App {
    pub name: String,
    /// Oldest first, never empty, at most [`RELEASES_MAX`].
    pub releases: Vec<Release>,
    /// Number of the release that is served.
    pub current: u64,
    #[serde(default)]
    pub first_deployed_ms: u64,
}

/// One deployed state of an app: its manifest and its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    pub number: u64,
    pub manifest: Manifest,
    /// The app directory as a zstd-compressed tar.
    pub files: BlobId,
    pub files_len: u64,
    pub created_ms: u64,
}

impl App {
    pub fn release(&self, number: u64) -> Option<&Release> {
        self.releases.iter().find(|release| release.number == number)
    }

    pub fn current_release(&self) -> Option<&Release> {
        self.release(self.current)
    }

    /// Whether a request for `host` (without port) is meant for this app by name.
    pub fn answers_host(&self, host: &str) -> bool {
        let own = host.strip_suffix(".localhost").is_some_and(|name| name.eq_ignore_ascii_case(&self.name));
        own || self
            .current_release()
            .is_some_and(|release| release.manifest.hosts.iter().any(|known| host_matches(known, host)))
    }
}

/// `*.example.org` is every name below `example.org`, not itself.
fn host_matches(known: &str, host: &str) -> bool {
    let Some(parent) = known.strip_prefix('*') else { return known.eq_ignore_ascii_case(host) };
    let below = host.len().checked_sub(parent.len()).filter(|below| *below > 0);
    below.and_then(|below| host.get(below..)).is_some_and(|end| end.eq_ignore_ascii_case(parent))
}

/// SHA-256 of a blob's bytes: its name, and the proof that it is whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 32]);

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blob {}", &self.to_string()[..12])
    }
}

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a blob id is 64 hexadecimal digits")]
pub struct ParseBlobIdError;

impl FromStr for BlobId {
    type Err = ParseBlobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 64 || !text.is_ascii() {
            return Err(ParseBlobIdError);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| ParseBlobIdError)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for BlobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
