//! Driver: waiting for a condition, bounded.

use std::time::{Duration, Instant};

/// Long enough for a busy machine; a test that needs more is broken.
const PATIENCE: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(50);

/// Polls until `probe` gives a value. Panics with `what` and the last refusal otherwise.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(refusal) if start.elapsed() > PATIENCE => panic!("waited {PATIENCE:?} for {what}: {refusal}"),
            Err(_) => std::thread::park_timeout(POLL),
        }
    }
}

/// Polls until `condition` holds.
pub fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || if condition() { Ok(()) } else { Err("not yet".to_owned()) });
}
