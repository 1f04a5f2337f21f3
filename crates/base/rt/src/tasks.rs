//! Driver: the named tasks of one component, which stop together.
//!
//! A component owns its `Tasks`. Shutdown is told, not done: a task sees [`Tasks::stopping`], finishes what it has begun and
//! ends; who is not done by the deadline is aborted. A panic in a task is logged with its name and ends that task alone.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

/// Cheap to clone; all clones are one group.
#[derive(Clone, Debug)]
pub struct Tasks {
    name: &'static str,
    stop: CancellationToken,
    tracker: TaskTracker,
    aborts: Arc<Mutex<Vec<(&'static str, AbortHandle)>>>,
}

impl Tasks {
    pub fn new(name: &'static str) -> Self {
        Self { name, stop: CancellationToken::new(), tracker: TaskTracker::new(), aborts: Arc::default() }
    }

    /// Runs `work` on the current runtime. It should end soon after [`Tasks::stopping`].
    pub fn spawn<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_on(&Handle::current(), name, work);
    }

    pub fn spawn_on<F>(&self, runtime: &Handle, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let group = self.name;
        let task = runtime.spawn(self.tracker.track_future(work));
        self.note(name, task.abort_handle());
        runtime.spawn(async move {
            if let Err(failure) = task.await
                && failure.is_panic()
            {
                error!(group, task = name, panic = panic_text(failure), "task panicked");
            }
        });
    }

    /// Completes when the group is told to stop. Cancel-safe.
    pub fn stopping(&self) -> WaitForCancellationFutureOwned {
        self.stop.clone().cancelled_owned()
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The token itself, for libraries that want one.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// How many tasks are still running.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Tells all to stop, waits for them until the deadline, aborts the rest. Returns how many had to be aborted.
    pub async fn stop(&self, within: Duration) -> usize {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(within, self.tracker.wait()).await.is_ok() {
            return 0;
        }
        let late = self.tracker.len();
        for (task, handle) in self.aborts().drain(..).filter(|(_, handle)| !handle.is_finished()) {
            warn!(group = self.name, task, "task missed the shutdown deadline and is aborted");
            handle.abort();
        }
        late
    }

    fn note(&self, name: &'static str, handle: AbortHandle) {
        let mut aborts = self.aborts();
        if aborts.len() >= 64 && aborts.len().is_power_of_two() {
            aborts.retain(|(_, old)| !old.is_finished());
        }
        aborts.push((name, handle));
    }

    fn aborts(&self) -> std::sync::MutexGuard<'_, Vec<(&'static str, AbortHandle)>> {
        self.aborts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn panic_text(failure: tokio::task::JoinError) -> String {
    let payload = failure.into_panic();
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tasks_that_stop_in_time_are_not_aborted() {
        let tasks = Tasks::new("test");
        let stopping = tasks.stopping();
        tasks.spawn("polite", stopping);
        assert_eq!(tasks.stop(Duration::from_secs(1)).await, 0);
        assert_eq!(tasks.running(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_will_not_stop_is_aborted_at_the_deadline() {
        let tasks = Tasks::new("test");
        tasks.spawn("stubborn", std::future::pending());
        assert_eq!(tasks.stop(Duration::from_secs(1)).await, 1);
    }

    #[tokio::test]
    async fn a_panic_ends_one_task_only() {
        let tasks = Tasks::new("test");
        let (sent, received) = tokio::sync::oneshot::channel();
        tasks.spawn("clumsy", async { panic!("oops") });
        tasks.spawn("steady", async move { sent.send(1).expect("the test waits") });
        assert_eq!(received.await, Ok(1));
        assert_eq!(tasks.stop(Duration::from_secs(5)).await, 0);
    }
}
