//! For tests: a directory of one's own, and a disk so small that it is soon full.

use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug)]
pub(crate) struct TempDir(pub PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("ringway-engine-{:016x}", ringway_rt::random::number())))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug)]
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` if this process may not mount anything.
    pub(crate) fn mount(mebibytes: usize) -> Option<Self> {
        let dir = TempDir::new();
        std::fs::create_dir(&dir.0).unwrap();
        let size = format!("size={mebibytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "ringway-test"]).arg(&dir.0).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).output();
    }
}
