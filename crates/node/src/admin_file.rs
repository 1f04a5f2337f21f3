//! How the command line finds a running node: a file in its data directory that only its user may read.

use std::io;
use std::path::Path;

use ringway_rt::files::{PRIVATE, write_atomic};
use serde::{Deserialize, Serialize};

/// Name of the file in a node's data directory.
pub const ADMIN_FILE: &str = "admin.json";

/// Where the admin API of the node is, and the token for it.
#[derive(Clone, Serialize, Deserialize)]
pub struct AdminFile {
    pub url: String,
    pub token: String,
    pub pid: u32,
}

impl AdminFile {
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        write_atomic(&data_dir.join(ADMIN_FILE), &json, PRIVATE)
    }

    /// The token of an earlier run, so that an open console stays signed in.
    pub fn token_before(data_dir: &Path) -> Option<String> {
        let text = std::fs::read_to_string(data_dir.join(ADMIN_FILE)).ok()?;
        serde_json::from_str::<AdminFile>(&text).ok().map(|file| file.token).filter(|token| !token.is_empty())
    }
}
