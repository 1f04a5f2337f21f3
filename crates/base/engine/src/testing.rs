//! For tests: a directory of one's own, and a disk so small that it is soon full.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

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

/// A file system of its own, in a mount namespace that ends with the process that holds it, reached through that process: so no
/// rights of root are needed, and nothing stays mounted if the test is killed.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    holder: Child,
    dir: TempDir,
}

impl SmallDisk {
    /// Panics if it cannot be had: a test on a full disk that has none must not pass.
    pub(crate) fn mount(mebibytes: usize) -> Self {
        let dir = TempDir::new();
        std::fs::create_dir(&dir.0).unwrap();
        // The holder ends when its input does.
        let script = "mount -t tmpfs -o size=$1m ringway-test \"$2\" && echo mounted && exec cat";
        let mut holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", script, "sh", &mebibytes.to_string()])
            .arg(&dir.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs unshare (util-linux): {error}"));
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let disk = Self { holder, dir };
        assert_eq!(said, "mounted\n", "this test needs a disk of its own, and may not mount one in a user namespace");
        disk
    }

    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), self.dir.0.display()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
