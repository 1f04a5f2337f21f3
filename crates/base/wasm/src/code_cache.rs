//! Driver: machine code that was compiled earlier, on disk.
//!
//! A file is named by the component's SHA-256 and a hash of everything the compiler's output depends on (version,
//! processor features, settings), so a changed component or a changed engine never meets old code. A checksum at the end
//! catches torn and rotten files: these are compiled again. Files appear whole (written aside, then renamed), and the
//! oldest go when there are too many.
//!
//! The files are code that the node will run: the folder is readable and writable for its owner only. The checksum guards
//! against accidents, not against somebody who can already write there as that user.

use std::fs::{self, DirBuilder, File, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::error::Error;

/// What is kept; a component that is used again counts as new.
const FILES_MAX: usize = 256;

const CHECKSUM_BYTES: u64 = 8;

/// What is read in one go; small enough to stay in the processor's cache.
const PIECE_BYTES: usize = 128 * 1024;

static WRITES: AtomicU64 = AtomicU64::new(0);

/// What a file is named by.
pub struct Key(String);

impl Key {
    /// Reads the component to its end.
    pub fn of(engine: &wasmtime::Engine, wasm: impl Read) -> io::Result<Self> {
        let mut component = Sha256::new();
        in_pieces(wasm, |piece| component.update(piece))?;
        let component: String = component.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut settings = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        Ok(Self(format!("{component}-{:016x}.cwasm", settings.finish())))
    }
}

pub struct CodeCache {
    dir: PathBuf,
}

impl CodeCache {
    /// Creates the folder if need be and makes it private.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::io("create", dir))?;
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(Error::io("make private", dir))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// The compiled code of this component, if it is there and whole; a file that is not goes away.
    pub fn find(&self, engine: &wasmtime::Engine, key: &Key) -> Option<Component> {
        let path = self.dir.join(&key.0);
        let file = File::open(&path).ok()?;
        match load_checked(engine, file, &path) {
            Ok(component) => Some(component),
            Err(why) => {
                tracing::warn!(path = %path.display(), %why, "compiled code unusable, compiling again");
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Keeps what the compiler made and loads it from there: mapped pages are shared and can leave memory.
    pub fn keep(&self, engine: &wasmtime::Engine, key: &Key, code: &[u8]) -> Result<Component, Error> {
        let path = self.dir.join(&key.0);
        self.write(&path, code).map_err(Error::io("write", &path))?;
        self.trim();
        load(engine, &path).map_err(Error::engine)
    }

    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let number = WRITES.fetch_add(1, Ordering::Relaxed);
        let aside = self.dir.join(format!("{}-{number}.tmp", std::process::id()));
        let mut file = File::create(&aside)?;
        file.write_all(code)?;
        file.write_all(&xxh3_64(code).to_le_bytes())?;
        drop(file);
        fs::rename(&aside, path)
    }

    /// A file that a running component still uses may go: it stays mapped.
    fn trim(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort_unstable_by(|a, b| b.cmp(a));
        for (_, path) in files.iter().skip(FILES_MAX) {
            let _ = fs::remove_file(path);
        }
    }
}

fn load_checked(engine: &wasmtime::Engine, mut file: File, path: &Path) -> Result<Component, String> {
    checksum_holds(&mut file).map_err(|error| error.to_string())?;
    // Last use decides what goes first; where the time cannot be set, the order is only less good.
    let _ = file.set_modified(SystemTime::now());
    load(engine, path).map_err(|error| format!("{error:#}"))
}

fn checksum_holds(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len().saturating_sub(CHECKSUM_BYTES);
    let mut sum = Xxh3::new();
    in_pieces(file.take(length), |piece| sum.update(piece))?;
    let mut expected = [0; CHECKSUM_BYTES as usize];
    file.read_exact(&mut expected)?;
    if sum.digest() != u64::from_le_bytes(expected) {
        return Err(io::Error::other("checksum differs"));
    }
    Ok(())
}

/// Without holding all of it: an interpreter's code is 40 MB.
fn in_pieces(mut from: impl Read, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(()),
            length => each(&piece[..length]),
        }
    }
}

fn load(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file is the output of `precompile_component`, written by `CodeCache::write` into a folder that only this
    // user can write to; files are replaced by renaming and never changed in place. wasmtime itself refuses code of
    // another version or other settings.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(test)]
mod tests;
