//! Core: why a process could not be started.

use std::io;
use std::time::Duration;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    /// The app's fault: no such program, not executable, no such directory.
    #[error("{0}")]
    Refused(String),
    #[error("the command is too large: {len} bytes of arguments and environment, at most {max} are taken")]
    TooLarge { len: usize, max: usize },
    #[error("the spawner cannot be started: {0}")]
    Spawner(io::Error),
    /// It died while this was under way. The process may have been started, and was killed then.
    #[error("the spawner died; it is being started again")]
    SpawnerLost,
    /// Nothing runs: should it still be started, it is killed at once.
    #[error("the spawner did not start the process within {0:?}")]
    TimedOut(Duration),
    #[error("this node is stopping")]
    Stopping,
    #[error("no pipe for the process: {0}")]
    Pipe(io::Error),
}
