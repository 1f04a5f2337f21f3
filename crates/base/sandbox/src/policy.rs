//! Core: which files a process may touch; and the part that tells the kernel (Landlock).
//!
//! Landlock can only allow, so "everything but these directories" is said by allowing what lies *beside* the way from `/` to
//! each of them. What is created there later is out of reach too, but the directories that matter exist before the node.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    Scope,
};
use serde::{Deserialize, Serialize};

/// What the rules are written for. Older kernels enforce the part that they know.
const LANDLOCK: ABI = ABI::V6;

/// Entries beside the way to a private directory, per level. Each costs a system call at every start.
const SIBLINGS_MAX: usize = 4096;

/// A process may write to these, as every program expects.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/tty"];

/// Everything may be read and run, save what is below `private`; of that `read` and `write` after all. Only what is below
/// `write` may be written. Paths are absolute; those that do not exist are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub private: Vec<PathBuf>,
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
}

impl Policy {
    /// Binds the calling process and all its children, for good.
    pub(crate) fn enforce(&self) -> Result<(), String> {
        let all = AccessFs::from_all(LANDLOCK);
        let rules = Ruleset::default()
            .handle_access(all)
            .and_then(|rules| rules.scope(Scope::from_all(LANDLOCK)))
            .and_then(Ruleset::create)
            .map_err(|error| format!("no landlock rules: {error}"))?;
        let mut rules = rules;
        for path in self.readable().map_err(|error| error.to_string())?.iter().chain(&self.read) {
            rules = allow(rules, path, AccessFs::from_read(LANDLOCK))?;
        }
        for path in DEVICES.iter().map(Path::new).chain(self.write.iter().map(PathBuf::as_path)) {
            rules = allow(rules, path, all)?;
        }
        rules.restrict_self().map(drop).map_err(|error| format!("landlock rules were refused: {error}"))
    }

    /// The topmost files and directories that together hold everything but what is private.
    pub(crate) fn readable(&self) -> io::Result<Vec<PathBuf>> {
        let private: Vec<PathBuf> = self.private.iter().filter_map(|path| path.canonicalize().ok()).collect();
        if private.is_empty() {
            return Ok(vec![PathBuf::from("/")]);
        }
        let mut readable = Vec::new();
        beside(Path::new("/"), &private, &mut readable)?;
        Ok(readable)
    }
}

/// Adds what is in `dir` but not on the way to a private directory. Symbolic links are left out: what they lead to has its
/// own name, and one could lead into a private directory.
fn beside(dir: &Path, private: &[PathBuf], readable: &mut Vec<PathBuf>) -> io::Result<()> {
    for (count, entry) in std::fs::read_dir(dir)?.enumerate() {
        if count == SIBLINGS_MAX {
            let why =
                format!("{} has more than {SIBLINGS_MAX} entries: keep the data directory elsewhere", dir.display());
            return Err(io::Error::other(why));
        }
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_symlink() || private.contains(&path) {
            continue;
        }
        if private.iter().any(|private| private.starts_with(&path)) {
            beside(&path, private, readable)?;
        } else {
            readable.push(path);
        }
    }
    Ok(())
}

fn allow(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, String> {
    // What is gone, or may not be opened, needs no permission.
    let (Ok(metadata), Ok(fd)) = (std::fs::metadata(path), PathFd::new(path)) else {
        return Ok(rules);
    };
    let access = if metadata.is_dir() { access } else { access & AccessFs::from_file(LANDLOCK) };
    rules
        .add_rule(PathBeneath::new(fd, access))
        .map_err(|error| format!("landlock rule for {}: {error}", path.display()))
}

/// The version of Landlock that the kernel has; 0 if none.
pub(crate) fn landlock_version() -> i32 {
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no memory; it only returns a number.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0usize, CREATE_RULESET_VERSION)
    };
    i32::try_from(version).unwrap_or(0).max(0)
}

#[cfg(test)]
mod tests;
