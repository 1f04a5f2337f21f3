//! core: what is in an app directory, as somebody with a file system saw it.

use serde::{Deserialize, Serialize};

use crate::relative_path::tidy;

/// One file or directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative to the app directory, with `/`.
    pub path: String,
    pub is_dir: bool,
    /// A file that somebody may execute.
    #[serde(default)]
    pub is_executable: bool,
}

/// What a path is in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Dir,
    File { is_executable: bool },
    Nothing,
}

impl Entry {
    pub fn file(path: impl Into<String>) -> Entry {
        Entry { path: path.into(), is_dir: false, is_executable: false }
    }

    pub fn executable(path: impl Into<String>) -> Entry {
        Entry { path: path.into(), is_dir: false, is_executable: true }
    }

    pub fn dir(path: impl Into<String>) -> Entry {
        Entry { path: path.into(), is_dir: true, is_executable: false }
    }
}

/// Looks a tidy path up. A directory need not be listed itself if something in it is.
pub(crate) fn find(listing: &[Entry], path: &str) -> Found {
    if path == "." {
        return Found::Dir;
    }
    let is_below = |entry: &str| entry.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    let mut found = Found::Nothing;
    for entry in listing {
        let entry_path = tidy(&entry.path);
        if entry_path == path {
            return if entry.is_dir { Found::Dir } else { Found::File { is_executable: entry.is_executable } };
        }
        if is_below(&entry_path) {
            found = Found::Dir;
        }
    }
    found
}
