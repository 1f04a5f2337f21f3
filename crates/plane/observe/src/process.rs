//! Driver: what this process uses of the machine, under the names that Prometheus' client libraries use.

use std::fmt::Write as _;
use std::fs;

use nix::sys::resource::{UsageWho, getrusage};

/// Resident memory in bytes; 0 where the kernel does not say.
pub fn resident_bytes() -> u64 {
    fs::read_to_string("/proc/self/status").ok().and_then(|status| resident_of(&status)).unwrap_or(0)
}

/// User and system time in seconds.
fn cpu_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Some(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn open_fds() -> Option<usize> {
    // One of them is the directory itself while it is read.
    fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1))
}

/// Appends the process's metrics in Prometheus' text format. What the kernel does not say is left out.
pub(crate) fn render(out: &mut String) {
    let resident = Some(resident_bytes()).filter(|bytes| *bytes > 0);
    metric(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", resident);
    metric(out, "process_cpu_seconds_total", "counter", "Total user and system CPU time in seconds.", cpu_seconds());
    metric(out, "process_open_fds", "gauge", "Number of open file descriptors.", open_fds());
}

fn metric(out: &mut String, name: &str, kind: &str, help: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        // Writing into a `String` cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t    1540 kB\nThreads:\t1\n"), Some(1540 * 1024));
        assert_eq!(resident_of("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_has_all_three_metrics() {
        let mut out = String::new();
        render(&mut out);
        for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
            let line = out
                .lines()
                .find(|line| line.starts_with(&format!("{name} ")))
                .unwrap_or_else(|| panic!("no {name} in {out}"));
            let value: f64 = line.rsplit_once(' ').unwrap().1.parse().unwrap();
            assert!(value >= 0.0, "{line}");
        }
    }
}
