//! Port: the files a log is made of, so that tests can lose what a disk may lose; and the driver for a directory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use nix::sys::statvfs::statvfs;
use ringway_rt::files::PRIVATE;

use crate::Error;

/// What cannot be read at once is read in pieces of this size, to lose no more than what is unreadable.
const BLOCK_LEN: usize = 4096;

/// A directory of files. All methods may wait for the disk.
pub(crate) trait Volume: Send + Sync + std::fmt::Debug {
    fn names(&self) -> io::Result<Vec<String>>;
    /// All bytes of a file; zeros where it cannot be read.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// A new, empty file. Whether its name survives a loss of power is decided by [`Volume::sync_names`].
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>>;
    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    fn sync_names(&self) -> io::Result<()>;
    /// Bytes that others could use.
    fn free(&self) -> u64;
    /// The same for those who get to see it.
    fn explain(&self, error: &io::Error) -> Error;
}

pub(crate) trait LogFile: Send + std::fmt::Debug {
    fn len(&self) -> io::Result<u64>;
    /// May write less than asked for.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// What was written survives a loss of power after this. After an error nobody knows, and trying again does not help: the
    /// kernel may have dropped the bytes (Rebello et al., "Can applications recover from fsync failures?", ATC 2020).
    fn sync(&self) -> io::Result<()>;
}

#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        ringway_rt::files::create_private_dir(&path)?;
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { path })
    }

    fn file(&self, name: &str, options: &mut OpenOptions) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(options.read(true).write(true).mode(PRIVATE).open(self.path.join(name))?))
    }
}

impl Volume for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let path = self.path.join(name);
        fs::read(&path).or_else(|_| read_in_blocks(&File::open(path)?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.file(name, OpenOptions::new().create(true).truncate(false))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.file(name, &mut OpenOptions::new())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn free(&self) -> u64 {
        statvfs(&self.path).map_or(0, |stat| stat.blocks_available() * stat.fragment_size())
    }

    fn explain(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::DiskFull { dir: self.path.clone(), free: self.free(), reserve: 0 }
            }
            _ => Error::Failed(format!("{}: {error}", self.path.display())),
        }
    }
}

fn read_in_blocks(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
    for (number, block) in bytes.chunks_mut(BLOCK_LEN).enumerate() {
        if file.read_exact_at(block, (number * BLOCK_LEN) as u64).is_err() {
            block.fill(0);
        }
    }
    Ok(bytes)
}

impl LogFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
