//! Driver: the node's data directory, which belongs to one process at a time.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use ringway_rt::{clock, files};

use crate::Error;

const LOCK_FILE: &str = "lock";

/// Locked for as long as it lives; the kernel lets go of it however the process ends.
pub struct DataDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl DataDir {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fault = |source: io::Error| Error::DataDir { path: path.to_owned(), source };
        files::create_private_dir(path).map_err(fault)?;
        let path = path.canonicalize().map_err(fault)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(files::PRIVATE)
            .open(path.join(LOCK_FILE))
            .map_err(fault)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(Error::DataDirInUse { path }),
            Err((_, errno)) => Err(fault(errno.into())),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Puts aside what a former member kept, so that it cannot mix with the data of another cluster. Nothing is deleted.
    pub fn put_aside(&self, names: &[&str]) -> Result<(), Error> {
        let aside = self.path.join(format!("left-{}", clock::wall_ms()));
        let fault = |source: io::Error| Error::DataDir { path: aside.clone(), source };
        files::create_private_dir(&aside).map_err(fault)?;
        for name in names.iter().filter(|name| self.path.join(name).exists()) {
            std::fs::rename(self.path.join(name), aside.join(name)).map_err(fault)?;
        }
        Ok(())
    }
}
