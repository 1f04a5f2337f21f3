//! Driver: how much processor time the calling thread has used. The only clock of this crate, and only for figures that say so.
//!
//! The one unsafe call of the crate: the safe ways to ask (`getrusage`, `/proc`) are as coarse as a scheduler tick, and what is
//! measured here takes less.

use std::time::Duration;

/// User and system time together; zero where the system cannot say.
pub(crate) fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec that lives through the call, which writes nothing else.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    if answer != 0 {
        return Duration::ZERO;
    }
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
