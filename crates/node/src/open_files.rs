//! Driver: how many files and connections this process may have, so that clients of one door cannot lock out the others.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::{info, warn};

/// For peers, the console, disk and apps: not for clients.
const KEPT_BACK: u64 = 128;
/// Fewer than this are not worth a warning-free start.
const ENOUGH: u64 = 4096;

/// Raises the limit as far as this user may, and says how many connections each of the two doors for clients can bear.
pub fn connections_max() -> usize {
    let limit = raise();
    let each = limit.saturating_sub(KEPT_BACK).max(2) / 2;
    if limit < ENOUGH {
        warn!(limit, each, "few open files are allowed: raise the limit (ulimit -n) to serve more connections at once");
    }
    usize::try_from(each).unwrap_or(usize::MAX)
}

fn raise() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return ENOUGH };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        info!(from = soft, to = hard, "raised the limit of open files");
        return hard;
    }
    soft
}
