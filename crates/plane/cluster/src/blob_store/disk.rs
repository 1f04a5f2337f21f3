//! Driver: the directory of blobs. A file under its own name is whole: it is written under another, synced and renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ringway_catalog::BlobId;
use ringway_rt::{files, random};
use sha2::{Digest, Sha256};

const COPY_BUFFER: usize = 256 << 10;
const INCOMING: &str = ".incoming-";

#[derive(Clone, Debug)]
pub struct Disk {
    dir: Arc<Path>,
}

impl Disk {
    /// What an earlier process left unfinished is cleared away.
    pub fn open(dir: &Path) -> io::Result<Self> {
        files::create_private_dir(dir)?;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(INCOMING) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { dir: dir.into() })
    }

    pub fn path(&self, id: BlobId) -> PathBuf {
        self.dir.join(id.to_string())
    }

    /// Moves a file in, under its hash. Copied, because it may be on another file system, and hashed on the way.
    pub async fn take_in(&self, file: PathBuf) -> io::Result<(BlobId, u64)> {
        let disk = self.clone();
        blocking(move || {
            let mut incoming = disk.create_incoming(None)?;
            let mut source = File::open(&file)?;
            let mut buffer = vec![0; COPY_BUFFER];
            loop {
                match source.read(&mut buffer)? {
                    0 => break,
                    len => incoming.write(&buffer[..len])?,
                }
            }
            let len = incoming.len;
            let id = incoming.keep()?.ok_or_else(|| io::Error::other("a blob without a name is always whole"))?;
            fs::remove_file(&file)?;
            Ok((id, len))
        })
        .await
    }

    /// For a blob that comes in pieces.
    pub async fn incoming(&self, id: BlobId) -> io::Result<Incoming> {
        let disk = self.clone();
        blocking(move || disk.create_incoming(Some(id))).await
    }

    fn create_incoming(&self, id: Option<BlobId>) -> io::Result<Incoming> {
        let path = self.dir.join(format!("{INCOMING}{:016x}", random::number()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Incoming { disk: self.clone(), wanted: id, path: Unfinished(path), file, hash: Sha256::new(), len: 0 })
    }

    pub async fn is_whole(&self, id: BlobId) -> io::Result<bool> {
        let path = self.path(id);
        blocking(move || {
            let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; COPY_BUFFER]);
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(<[u8; 32]>::from(hash.finalize()) == id.0),
                    len => hash.update(&buffer[..len]),
                }
            }
        })
        .await
    }

    pub async fn len(&self, id: BlobId) -> io::Result<Option<u64>> {
        let path = self.path(id);
        blocking(move || match fs::metadata(path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        })
        .await
    }

    /// `max` bytes from `offset` on, fewer at the end.
    pub async fn read_piece(&self, id: BlobId, offset: u64, max: usize) -> io::Result<Bytes> {
        let path = self.path(id);
        blocking(move || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(max as u64).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        })
        .await
    }
}

/// A blob of which only the beginning is here. Dropping it deletes it.
#[derive(Debug)]
pub struct Incoming {
    disk: Disk,
    /// `None` if the name is what the hash turns out to be.
    wanted: Option<BlobId>,
    path: Unfinished,
    file: File,
    hash: Sha256,
    len: u64,
}

impl Incoming {
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub async fn append(mut self, bytes: Bytes) -> io::Result<Self> {
        blocking(move || {
            self.write(&bytes)?;
            Ok(self)
        })
        .await
    }

    /// False, and nothing kept, if the bytes are not those of the blob.
    pub async fn finish(self) -> io::Result<bool> {
        blocking(move || Ok(self.keep()?.is_some())).await
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn keep(self) -> io::Result<Option<BlobId>> {
        let id = BlobId(self.hash.finalize().into());
        if self.wanted.is_some_and(|wanted| wanted != id) {
            return Ok(None);
        }
        self.file.sync_all()?;
        fs::rename(&self.path.0, self.disk.path(id))?;
        File::open(&self.disk.dir)?.sync_all()?;
        Ok(Some(id))
    }
}

#[derive(Debug)]
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Renamed by now if all went well.
        let _ = fs::remove_file(&self.0);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temp_dir() -> PathBuf {
        let dir = std::env::temp_dir().join(format!("ringway-blobs-{:016x}", random::number()));
        files::create_private_dir(&dir).unwrap();
        dir
    }

    #[tokio::test]
    async fn a_file_is_moved_in_under_its_hash() {
        let dir = temp_dir();
        let disk = Disk::open(&dir.join("blobs")).unwrap();
        let file = dir.join("upload");
        fs::write(&file, b"hello").unwrap();
        let (id, len) = disk.take_in(file.clone()).await.unwrap();
        assert_eq!(id.to_string(), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert!(len == 5 && !file.exists() && disk.is_whole(id).await.unwrap());
        assert_eq!(disk.read_piece(id, 3, 100).await.unwrap(), &b"lo"[..]);
        fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn bytes_that_are_not_the_blob_are_not_kept() {
        let dir = temp_dir();
        let disk = Disk::open(&dir).unwrap();
        let incoming = disk.incoming(BlobId([1; 32])).await.unwrap();
        let incoming = incoming.append(Bytes::from_static(b"other")).await.unwrap();
        assert!(!incoming.finish().await.unwrap());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::remove_dir_all(dir).unwrap();
    }
}
