//! An app directory as one file: a tar compressed with zstd. The same files give the same bytes, so an unchanged app has an
//! unchanged name in the blob store.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Never part of an app. More can be listed in `.ringwayignore`, one name or path a line.
const LEFT_OUT: &[&str] = &[".git", ".ringway", ".hg", ".svn", "__pycache__", ".DS_Store"];
const IGNORE_FILE: &str = ".ringwayignore";
const FILES_MAX: usize = 50_000;
const BYTES_MAX: u64 = 1 << 30;
const COMPRESSION: i32 = 3;

/// What `dir` holds, relative, sorted; directories before what is in them.
#[derive(Debug)]
pub struct Contents {
    root: PathBuf,
    paths: Vec<PathBuf>,
    pub files: usize,
    pub bytes: u64,
}

impl Contents {
    pub fn of(dir: &Path) -> Result<Self> {
        let root = dir.canonicalize().with_context(|| format!("there is no directory {}", dir.display()))?;
        if !root.is_dir() {
            bail!("{} is not a directory", dir.display());
        }
        let ignored = ignored_paths(&root)?;
        let mut contents = Self { root, paths: Vec::new(), files: 0, bytes: 0 };
        contents.walk(Path::new(""), &ignored)?;
        Ok(contents)
    }

    fn walk(&mut self, relative: &Path, ignored: &[PathBuf]) -> Result<()> {
        let dir = self.root.join(relative);
        let mut names: Vec<_> = fs::read_dir(&dir)
            .with_context(|| format!("cannot read {}", dir.display()))?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        names.sort();
        for name in names {
            let path = relative.join(&name);
            let left_out = LEFT_OUT.iter().any(|known| name == *known)
                || ignored.iter().any(|rule| path == *rule || name == *rule.as_os_str());
            if !left_out {
                self.take(path, ignored)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, path: PathBuf, ignored: &[PathBuf]) -> Result<()> {
        let full = self.root.join(&path);
        let metadata = fs::metadata(&full).with_context(|| format!("{} points nowhere", path.display()))?;
        if fs::symlink_metadata(&full)?.is_symlink() && !full.canonicalize()?.starts_with(&self.root) {
            bail!("{} is a link to somewhere outside of the app directory: copy the file instead", path.display());
        }
        self.paths.push(path.clone());
        if metadata.is_dir() && !full.is_symlink() {
            return self.walk(&path, ignored);
        }
        self.files += 1;
        self.bytes += metadata.len();
        if self.files > FILES_MAX || self.bytes > BYTES_MAX {
            bail!(
                "the app directory is larger than {FILES_MAX} files or {} MiB: list what is not needed in {IGNORE_FILE}",
                BYTES_MAX >> 20
            );
        }
        Ok(())
    }

    /// Relative paths with whether each is a directory.
    pub fn listing(&self) -> impl Iterator<Item = (&Path, bool)> {
        self.paths.iter().map(|path| (path.as_path(), self.root.join(path).is_dir()))
    }

    /// Writes the archive; `progress` is told the bytes of each file as it is added.
    pub fn pack(&self, into: impl Write, mut progress: impl FnMut(u64)) -> Result<()> {
        let mut archive = tar::Builder::new(zstd::Encoder::new(into, COMPRESSION)?);
        for path in &self.paths {
            progress(self.append(&mut archive, path)?);
        }
        archive.into_inner()?.finish()?;
        Ok(())
    }

    fn append<W: Write>(&self, archive: &mut tar::Builder<W>, path: &Path) -> Result<u64> {
        let full = self.root.join(path);
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        if full.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            header.set_mode(0o777);
            archive.append_link(&mut header, path, fs::read_link(&full)?)?;
            return Ok(0);
        }
        let metadata = fs::metadata(&full)?;
        let executable = metadata.permissions().mode() & 0o100 != 0;
        header.set_mode(if metadata.is_dir() || executable { 0o755 } else { 0o644 });
        if metadata.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            archive.append_data(&mut header, path, std::io::empty())?;
            return Ok(0);
        }
        header.set_size(metadata.len());
        let file = fs::File::open(&full)?;
        archive.append_data(&mut header, path, std::io::Read::take(file, metadata.len()))?;
        Ok(metadata.len())
    }
}

fn ignored_paths(root: &Path) -> Result<Vec<PathBuf>> {
    let file = root.join(IGNORE_FILE);
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let rules = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(rules.map(|rule| PathBuf::from(rule.trim_matches('/'))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("ringway-pack-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("public")).unwrap();
        fs::create_dir_all(dir.join(".git")).unwrap();
        fs::write(dir.join("public/index.html"), "hello").unwrap();
        fs::write(dir.join(".git/config"), "no").unwrap();
        fs::write(dir.join("notes.txt"), "no").unwrap();
        fs::write(dir.join(".ringwayignore"), "# mine\n/notes.txt\n").unwrap();
        dir
    }

    fn packed(dir: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        Contents::of(dir).unwrap().pack(&mut bytes, |_| {}).unwrap();
        bytes
    }

    #[test]
    fn the_same_files_give_the_same_bytes_whenever_they_were_written() {
        let dir = app("same");
        let first = packed(&dir);
        fs::File::open(dir.join("public/index.html")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(packed(&dir), first);
        fs::write(dir.join("public/index.html"), "HELLO").unwrap();
        assert_ne!(packed(&dir), first);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_is_ignored_is_left_out() {
        let dir = app("ignored");
        let contents = Contents::of(&dir).unwrap();
        let names: Vec<String> = contents.listing().map(|(path, _)| path.display().to_string()).collect();
        assert_eq!(names, [".ringwayignore", "public", "public/index.html"]);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_link_out_of_the_directory_is_refused() {
        let dir = app("link");
        std::os::unix::fs::symlink("/etc/hostname", dir.join("public/host")).unwrap();
        assert!(Contents::of(&dir).unwrap_err().to_string().contains("outside"));
        fs::remove_dir_all(&dir).unwrap();
    }
}
