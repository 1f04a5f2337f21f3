//! Core: what node and spawner say to one another. One message is one packet of the socket.

use serde::{Deserialize, Serialize};

use crate::policy::Policy;

/// Arguments, environment and all. Below what a packet of a Unix socket may have by default.
pub const MESSAGE_MAX: usize = 128 * 1024;

/// Standard input, output and error travel with a [`Request::Launch`].
pub const DESCRIPTORS: usize = 3;

#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    Launch(Launch),
    /// To the whole group. Unknown ids have exited already.
    Signal {
        id: u64,
        signal: i32,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Launch {
    pub id: u64,
    /// The first is the absolute path of the program.
    pub argv: Vec<Vec<u8>>,
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    pub cwd: Vec<u8>,
    pub open_files_max: u64,
    pub policy: Policy,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Event {
    /// The first. 0: the kernel has no Landlock.
    Ready {
        landlock_version: i32,
    },
    Started {
        id: u64,
        pid: i32,
    },
    Failed {
        id: u64,
        why: String,
    },
    Exited {
        id: u64,
        code: Option<i32>,
        signal: Option<i32>,
        user_us: u64,
        system_us: u64,
        memory_peak: u64,
    },
}
