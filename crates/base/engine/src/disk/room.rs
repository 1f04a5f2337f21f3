//! Driver: how much room there is on the disk, looked at often enough.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::statvfs::statvfs;
use ringway_rt::clock;

use crate::Error;

/// Kept free, but never more than a quarter of the file system.
const RESERVE_BYTES: u64 = 256 << 20;
/// How old a look at the free space may be.
const AGE_MAX_MS: u64 = 50;

/// A full disk is noticed before the database hits it: some room is kept in reserve, and while there is less, writes are refused
/// and reads go on. The reserve is for what was acknowledged already and is on its way into the database.
#[derive(Debug)]
pub(crate) struct Room {
    dir: PathBuf,
    checked_ms: AtomicU64,
    free: AtomicU64,
    reserve: AtomicU64,
}

impl Room {
    pub(crate) fn of(dir: &Path) -> Self {
        let zero = || AtomicU64::new(0);
        Self { dir: dir.to_owned(), checked_ms: zero(), free: zero(), reserve: zero() }
    }

    /// Whether `len` more bytes may be written by somebody who can be refused, with `promised` for what others have written.
    pub(crate) fn check(&self, len: usize, promised: u64) -> Result<(), Error> {
        self.look()?;
        let (free, reserve) = self.figures();
        if free < reserve.saturating_add(len as u64) {
            return Err(Error::DiskFull { dir: self.dir.clone(), free, reserve });
        }
        if free < reserve.saturating_add(promised) {
            return Err(Error::Overloaded { waiting: promised as usize });
        }
        // What is written until the next look comes off, so that many small writes cannot slip by.
        let _ =
            self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| Some(free.saturating_sub(len as u64)));
        Ok(())
    }

    /// Whether one part in so many of the reserve is left, for what may use it.
    pub(crate) fn check_reserve(&self, parts: u64) -> Result<(), Error> {
        self.look()?;
        let (free, reserve) = self.figures();
        match free < reserve / parts {
            true => Err(Error::DiskFull { dir: self.dir.clone(), free, reserve }),
            false => Ok(()),
        }
    }

    fn figures(&self) -> (u64, u64) {
        (self.free.load(Ordering::Relaxed), self.reserve.load(Ordering::Relaxed))
    }

    fn look(&self) -> Result<(), Error> {
        let now_ms = clock::wall_ms();
        if now_ms.abs_diff(self.checked_ms.load(Ordering::Relaxed)) <= AGE_MAX_MS {
            return Ok(());
        }
        let stat = statvfs(&self.dir).map_err(|errno| Error::Failed(format!("{}: {errno}", self.dir.display())))?;
        let bytes = |blocks: u64| blocks * stat.fragment_size();
        self.free.store(bytes(stat.blocks_available()), Ordering::Relaxed);
        self.reserve.store(RESERVE_BYTES.min(bytes(stat.blocks()) / 4), Ordering::Relaxed);
        self.checked_ms.store(now_ms, Ordering::Relaxed);
        Ok(())
    }
}
