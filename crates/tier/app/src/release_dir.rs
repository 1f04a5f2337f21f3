//! Driver: a release's files on this node, unpacked from its blob when somebody first needs them.
//!
//! An archive is somebody else's input: it may name files outside, lead there through links, or never end. So names are
//! checked, links are made last (nothing is written through one) and followed to see where they end, and size and number are
//! bounded. Everything happens beside the final place; a directory with the final name is whole.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ringway_catalog::Release;
use ringway_ports::{BlobError, Blobs};
use tar::EntryType;
use thiserror::Error;
use tokio::sync::OnceCell;

/// Of all files of a release together.
const BYTES_MAX: u64 = 4 << 30;
const ENTRIES_MAX: usize = 100_000;

#[derive(Debug, Error)]
pub enum ReleaseError {
    #[error("files of the release: {0}")]
    Blob(#[from] BlobError),
    #[error("cannot unpack the release: {0}")]
    Io(#[from] io::Error),
    /// The archive is not one of ours.
    #[error("the release's archive is refused: {0}")]
    Archive(String),
}

/// All releases that are unpacked on this node.
pub struct Releases {
    dir: PathBuf,
    blobs: Arc<dyn Blobs>,
    unpacked: Mutex<HashMap<PathBuf, Arc<OnceCell<Arc<Path>>>>>,
}

impl Releases {
    /// Begins with an empty directory: what a crash left there may be incomplete, and the blobs are at hand.
    pub fn open(dir: PathBuf, blobs: Arc<dyn Blobs>) -> io::Result<Self> {
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&dir)?,
        }
        Ok(Self { dir, blobs, unpacked: Mutex::default() })
    }

    /// The directory of a release. Whoever comes first unpacks it, the others wait for that.
    pub async fn get(&self, app: &str, release: &Release) -> Result<Arc<Path>, ReleaseError> {
        let path = self.path(app, release);
        let cell = Arc::clone(self.unpacked().entry(path.clone()).or_default());
        cell.get_or_try_init(|| self.fetch(path, release)).await.cloned()
    }

    /// Removes all releases but these. Blocks.
    pub fn retain<'a>(&self, known: impl Iterator<Item = (&'a str, &'a Release)>) {
        let known: HashSet<PathBuf> = known.map(|(app, release)| self.path(app, release)).collect();
        let mut gone = Vec::new();
        self.unpacked().retain(|path, cell| {
            let keep = known.contains(path) || !cell.initialized();
            if !keep {
                gone.push(path.clone());
            }
            keep
        });
        for path in gone {
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(path = %path.display(), %error, "old release cannot be removed");
            }
        }
    }

    /// The blob is in the name, because an app that is removed and made again starts with number 1 again.
    fn path(&self, app: &str, release: &Release) -> PathBuf {
        self.dir.join(app).join(format!("{}-{}", release.number, &release.files.to_string()[..12]))
    }

    async fn fetch(&self, path: PathBuf, release: &Release) -> Result<Arc<Path>, ReleaseError> {
        let blob = self.blobs.get(release.files).await?;
        let unpack = move || {
            unpack_beside(&blob, &path)?;
            Ok(Arc::from(path))
        };
        tokio::task::spawn_blocking(unpack).await.map_err(io::Error::other)?
    }

    fn unpacked(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Arc<OnceCell<Arc<Path>>>>> {
        self.unpacked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unpack_beside(blob: &Path, path: &Path) -> Result<(), ReleaseError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.new", ringway_rt::random::number()));
    let temporary = path.with_file_name(name);
    fs::create_dir_all(&temporary)?;
    let unpacked = unpack(File::open(blob)?, &temporary);
    let placed = unpacked.and_then(|()| Ok(fs::rename(&temporary, path)?));
    if placed.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    placed
}

/// Unpacks a zstd-compressed tar into an empty directory.
pub fn unpack(archive: impl io::Read, root: &Path) -> Result<(), ReleaseError> {
    let mut archive = tar::Archive::new(zstd::stream::read::Decoder::new(archive)?);
    let mut links = Vec::new();
    let mut bytes = 0u64;
    for (count, entry) in archive.entries()?.enumerate() {
        let mut entry = entry?;
        if count >= ENTRIES_MAX {
            return Err(ReleaseError::Archive(format!("it has more than {ENTRIES_MAX} entries")));
        }
        let name = safe_name(&entry.path()?)?;
        let path = root.join(&name);
        match entry.header().entry_type() {
            EntryType::Directory => fs::create_dir_all(&path)?,
            EntryType::Regular | EntryType::Continuous => {
                bytes = bytes.saturating_add(entry.size());
                if bytes > BYTES_MAX {
                    return Err(ReleaseError::Archive(format!("its files have more than {BYTES_MAX} bytes")));
                }
                let is_executable = entry.header().mode()? & 0o100 != 0;
                write_file(&mut entry, &path, is_executable)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name()?.unwrap_or_default().into_owned();
                links.push((path, target));
            }
            other => return Err(ReleaseError::Archive(format!("{} is of the kind {other:?}", name.display()))),
        }
    }
    make_links(root, &links)
}

fn write_file(from: &mut impl io::Read, path: &Path, is_executable: bool) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::create(path)?;
    io::copy(from, &mut file)?;
    file.set_permissions(Permissions::from_mode(if is_executable { 0o755 } else { 0o644 }))
}

fn safe_name(name: &Path) -> Result<PathBuf, ReleaseError> {
    let mut safe = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => safe.push(part),
            Component::CurDir => {}
            _ => return Err(ReleaseError::Archive(format!("{} leads out of it", name.display()))),
        }
    }
    Ok(safe)
}

/// All first, because one may lead through another; then each is followed.
fn make_links(root: &Path, links: &[(PathBuf, PathBuf)]) -> Result<(), ReleaseError> {
    for (path, target) in links {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        symlink(target, path)?;
    }
    let root = root.canonicalize()?;
    for (path, target) in links {
        let end = path.canonicalize().ok();
        if target.is_absolute() || !end.is_some_and(|end| end.starts_with(&root)) {
            let name = path.file_name().unwrap_or_default().display();
            return Err(ReleaseError::Archive(format!(
                "the link {name} leads to {}, which is not in it",
                target.display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
