//! Driver: a directory that is gone after the test.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// Removed when dropped, unless the test is failing: then it is kept and named, for the one who looks into it.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let unique =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let dir = std::env::temp_dir().join(format!("ringway-{name}-{}-{unique:x}", std::process::id()));
        fs::create_dir_all(&dir).expect("the temporary directory is writable");
        Self(dir)
    }

    /// Writes a file, making its directories.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let full = self.0.join(path);
        fs::create_dir_all(full.parent().expect("a file has a directory")).expect("the scratch directory is writable");
        fs::write(&full, text).expect("the scratch directory is writable");
        full
    }

    /// Writes an executable file.
    pub fn write_program(&self, path: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let full = self.write(path, text);
        fs::set_permissions(&full, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        full
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for you: {}", self.0.display());
            return;
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}
