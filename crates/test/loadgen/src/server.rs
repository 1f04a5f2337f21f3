//! Driver: what the server's processes used, from the kernel's scheduler.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

#[derive(Clone, Copy, Default)]
pub struct Used {
    pub cpu_seconds: f64,
    pub rss_bytes: u64,
}

/// Sums over processes and their threads. Of a thread that ends meanwhile nothing is known: measure servers that keep theirs.
pub fn used(pids: &[u32]) -> Result<Used> {
    let mut sum = Used::default();
    for pid in pids {
        let dir = format!("/proc/{pid}");
        sum.cpu_seconds +=
            cpu_seconds(Path::new(&dir)).with_context(|| format!("reading the CPU time of process {pid}"))?;
        let status = fs::read_to_string(format!("{dir}/status"))
            .with_context(|| format!("reading the status of process {pid}"))?;
        sum.rss_bytes += rss_bytes(&status).with_context(|| format!("process {pid} has no VmRSS"))?;
    }
    Ok(sum)
}

/// What this process used.
pub fn own_cpu_seconds() -> Result<f64> {
    cpu_seconds(Path::new("/proc/self"))
}

fn cpu_seconds(process: &Path) -> Result<f64> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(process.join("task"))? {
        // A thread may end between the listing and this.
        if let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) {
            nanoseconds += text.split(' ').next().context("an empty schedstat")?.parse::<u64>()?;
        }
    }
    Ok(nanoseconds as f64 / 1e9)
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
