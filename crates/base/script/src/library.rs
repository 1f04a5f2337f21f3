//! Core: the scripts that are known, by the SHA-1 of their text. Shared by all threads, bounded in bytes: what was not used for
//! longest goes first, and clients that miss it send the text again, as after a restart of Redis.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::error::Error;
use crate::sha::Sha;
use crate::shebang::{self, Flags};

/// What an entry takes besides the text, about.
const ENTRY_BYTES: usize = 200;
/// A use is noted only if so many others came in between.
const USES_BETWEEN_NOTES: u64 = 64;

/// A text that may be a script; whether it compiles is for a [`crate::ScriptHost`] to say.
#[derive(Debug)]
pub struct Script {
    sha: Sha,
    body: Bytes,
    flags: Flags,
    /// Where the code begins: behind the line with the flags, at its line break.
    code_from: usize,
}

impl Script {
    /// As [`Self::new`], for who has hashed the text already.
    pub fn with_sha(sha: Sha, body: Bytes) -> Result<Self, Error> {
        let (flags, code_from) = shebang::read(&body)?;
        Ok(Self { sha, body, flags, code_from })
    }

    pub fn new(body: Bytes) -> Result<Self, Error> {
        Self::with_sha(Sha::of(&body), body)
    }

    pub fn sha(&self) -> Sha {
        self.sha
    }

    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub fn flags(&self) -> Flags {
        self.flags
    }

    pub(crate) fn code(&self) -> &[u8] {
        &self.body[self.code_from..]
    }
}

/// The scripts of one bucket.
#[derive(Debug)]
pub struct Library {
    bytes_max: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    scripts: HashMap<Sha, Entry>,
    by_use: BTreeMap<u64, Sha>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    script: Arc<Script>,
    used: u64,
}

impl Library {
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, shelf: Mutex::default() }
    }

    pub fn get(&self, sha: &Sha) -> Option<Arc<Script>> {
        self.shelf().find(sha)
    }

    /// Keeps a script that compiles. One that is larger than everything kept may be is refused.
    pub fn insert(&self, script: Script) -> Result<Arc<Script>, Error> {
        if script.body.len() + ENTRY_BYTES > self.bytes_max {
            return Err(Error::TooLarge(self.bytes_max - ENTRY_BYTES.min(self.bytes_max)));
        }
        let mut shelf = self.shelf();
        if let Some(known) = shelf.find(&script.sha) {
            return Ok(known);
        }
        Ok(shelf.add(Arc::new(script), self.bytes_max))
    }

    pub fn contains(&self, sha: &Sha) -> bool {
        self.shelf().scripts.contains_key(sha)
    }

    pub fn flush(&self) {
        *self.shelf() = Shelf::default();
    }

    /// How many there are, and the bytes they take.
    pub fn usage(&self) -> (usize, usize) {
        let shelf = self.shelf();
        (shelf.scripts.len(), shelf.bytes)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Shelf {
    fn find(&mut self, sha: &Sha) -> Option<Arc<Script>> {
        let entry = self.scripts.get_mut(sha)?;
        self.uses += 1;
        if self.uses - entry.used > USES_BETWEEN_NOTES {
            self.by_use.remove(&entry.used);
            entry.used = self.uses;
            self.by_use.insert(self.uses, *sha);
        }
        Some(entry.script.clone())
    }

    fn add(&mut self, script: Arc<Script>, bytes_max: usize) -> Arc<Script> {
        self.bytes += script.body.len() + ENTRY_BYTES;
        while self.bytes > bytes_max
            && let Some((_, sha)) = self.by_use.pop_first()
        {
            if let Some(entry) = self.scripts.remove(&sha) {
                self.bytes -= entry.script.body.len() + ENTRY_BYTES;
            }
        }
        self.uses += 1;
        self.by_use.insert(self.uses, script.sha);
        self.scripts.insert(script.sha, Entry { script: script.clone(), used: self.uses });
        script
    }
}

#[cfg(test)]
mod tests;
