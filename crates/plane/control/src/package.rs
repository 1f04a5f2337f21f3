//! Core over a reader: what is in an app's tar, and the manifest it has or means.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path};

use ringway_manifest::{Entry, FILE_NAME, Fault, Faults, Manifest, TEXT_LEN_MAX, infer, parse};
use thiserror::Error;

const ENTRIES_MAX: usize = 100_000;
const UNPACKED_BYTES_MAX: u64 = 4 << 30;
/// zstd's own default limit; a larger window would let a small file ask for gigabytes of memory.
const WINDOW_LOG_MAX: u32 = 27;
const PROCFILE: &str = "Procfile";
const EXECUTABLE: u32 = 0o111;

/// Why a file is no app.
#[derive(Debug, Error)]
pub(crate) enum PackageError {
    #[error("the body is not a zstd-compressed tar: {0}")]
    NotATar(String),
    #[error("the app directory has more than {ENTRIES_MAX} files")]
    TooManyFiles,
    #[error("the app directory is larger than {UNPACKED_BYTES_MAX} bytes")]
    TooLarge,
    #[error("`{0}` leads out of the app directory")]
    Outside(String),
    #[error("the file name `{0}` is not UTF-8: rename the file")]
    NotAName(String),
    #[error("`{0}` is not UTF-8 text")]
    NotText(&'static str),
}

/// A tar, looked through.
#[derive(Debug, Default)]
pub(crate) struct Package {
    listing: Vec<Entry>,
    manifest: Option<String>,
    procfile: Option<String>,
}

/// A manifest that can be deployed.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) manifest: Manifest,
    pub(crate) warnings: Vec<Fault>,
}

impl Package {
    /// Blocking; reads all of it.
    pub(crate) fn read(compressed: impl Read) -> Result<Self, PackageError> {
        let mut decoder = zstd::Decoder::new(compressed).map_err(not_a_tar)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(not_a_tar)?;
        let mut archive = tar::Archive::new(decoder.take(UNPACKED_BYTES_MAX + 1));
        let mut package = Self::default();
        let mut links = BTreeMap::new();
        let mut bytes = 0u64;
        for entry in archive.entries().map_err(not_a_tar)? {
            let mut entry = entry.map_err(not_a_tar)?;
            bytes = bytes.saturating_add(entry.size());
            if bytes > UNPACKED_BYTES_MAX {
                return Err(PackageError::TooLarge);
            }
            package.add(&mut entry, &mut links)?;
            if package.listing.len() > ENTRIES_MAX {
                return Err(PackageError::TooManyFiles);
            }
        }
        package.resolve(&links);
        Ok(package)
    }

    /// The manifest that is there, or the one the directory means, with the files it names checked.
    pub(crate) fn examine(&self, dir_name: &str) -> Result<Examined, Faults> {
        let Some(text) = &self.manifest else {
            let manifest = infer(dir_name, &self.listing, self.procfile.as_deref())?;
            let faults = manifest.check_files(&self.listing);
            return checked(Examined { manifest, warnings: Vec::new() }, faults);
        };
        let parsed = parse(FILE_NAME, text)?;
        let faults = parsed.check_files(&self.listing);
        checked(Examined { manifest: parsed.manifest, warnings: parsed.warnings }, faults)
    }

    fn add<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        links: &mut BTreeMap<String, String>,
    ) -> Result<(), PackageError> {
        let path = inside(&entry.path().map_err(not_a_tar)?)?;
        if path.is_empty() {
            return Ok(());
        }
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            self.listing.push(Entry::dir(path));
            return Ok(());
        }
        if let Some(to) = entry.link_name().map_err(not_a_tar)?.filter(|_| kind.is_symlink() || kind.is_hard_link()) {
            let base =
                if kind.is_symlink() { Path::new(&path).parent().unwrap_or(Path::new("")) } else { Path::new("") };
            links.insert(path.clone(), inside(&base.join(to))?);
        }
        if path == FILE_NAME {
            self.manifest = Some(text(entry, FILE_NAME)?);
        } else if path == PROCFILE {
            self.procfile = Some(text(entry, PROCFILE)?);
        }
        let is_executable = entry.header().mode().map_err(not_a_tar)? & EXECUTABLE != 0;
        self.listing.push(Entry { path, is_dir: false, is_executable });
        Ok(())
    }

    /// A link is what it leads to (one step: a link to a link stays a plain file).
    fn resolve(&mut self, links: &BTreeMap<String, String>) {
        let kinds: BTreeMap<&str, (bool, bool)> =
            self.listing.iter().map(|entry| (entry.path.as_str(), (entry.is_dir, entry.is_executable))).collect();
        let found: BTreeMap<&String, (bool, bool)> =
            links.iter().filter_map(|(path, to)| Some((path, *kinds.get(to.as_str())?))).collect();
        let mut resolved = self.listing.clone();
        for entry in &mut resolved {
            if let Some((is_dir, is_executable)) = found.get(&entry.path) {
                (entry.is_dir, entry.is_executable) = (*is_dir, *is_executable);
            }
        }
        self.listing = resolved;
    }
}

fn checked(examined: Examined, faults: Vec<Fault>) -> Result<Examined, Faults> {
    if faults.is_empty() { Ok(examined) } else { Err(Faults(faults)) }
}

/// The text of a small file; one byte more than is allowed, so that whoever reads it sees that it is too long.
fn text<R: Read>(entry: &mut tar::Entry<'_, R>, name: &'static str) -> Result<String, PackageError> {
    let mut text = String::new();
    let read = entry.take(TEXT_LEN_MAX as u64 + 1).read_to_string(&mut text);
    match read {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(PackageError::NotText(name)),
        Err(error) => Err(not_a_tar(error)),
    }
}

/// A path relative to the app directory, without `.` and `..`.
fn inside(path: &Path) -> Result<String, PackageError> {
    let outside = || PackageError::Outside(path.display().to_string());
    let not_a_name = || PackageError::NotAName(path.display().to_string());
    let mut parts: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str().ok_or_else(not_a_name)?),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop().ok_or_else(outside)?),
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    Ok(parts.join("/"))
}

fn not_a_tar(error: std::io::Error) -> PackageError {
    PackageError::NotATar(error.to_string())
}

#[cfg(test)]
mod tests;
