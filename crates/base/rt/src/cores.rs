//! Driver: one runtime for each core, each on a thread of its own, for work that is cheaper when it stays where it began.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Runs as long as it is kept.
#[derive(Debug)]
pub struct Cores {
    handles: Vec<Handle>,
    next: AtomicUsize,
    _stop: DropGuard,
}

impl Cores {
    /// As many as there are cores that this process may use; threads are called `NAME-0`, `NAME-1`, ...
    pub fn start(name: &str) -> std::io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, |count| count.get());
        let stop = CancellationToken::new();
        let handles = (0..count).map(|number| start_one(name, number, stop.clone())).collect::<Result<_, _>>()?;
        Ok(Self { handles, next: AtomicUsize::new(0), _stop: stop.drop_guard() })
    }

    /// The number of one after the other: who asks for the next time is given the next core.
    pub fn next(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len()
    }

    /// By number.
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    pub fn len(&self) -> usize {
        self.handles.len()
    }

    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }
}

fn start_one(name: &str, number: usize, stop: CancellationToken) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().thread_name(format!("{name}-{number}-disk")).build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name(format!("{name}-{number}")).spawn(move || {
        runtime.block_on(stop.cancelled());
        runtime.shutdown_background();
    })?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_round_the_cores_and_stays_where_it_began() {
        let cores = Cores::start("test").unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        let name = async || thread::current().name().map(str::to_owned);
        let names: Vec<_> = (0..cores.len() + 1)
            .map(|_| runtime.block_on(cores.handles()[cores.next()].spawn(name())).unwrap().unwrap())
            .collect();
        assert_eq!(names.first(), Some(&"test-0".to_owned()));
        assert_eq!(names.last(), names.first());
    }
}
