//! Driver: runs what a connection starts, at once and in its place as far as it gets without waiting.

use std::task::{Context, Waker};

use hyper::rt::Executor;

/// Only what has to wait becomes a task.
#[derive(Clone, Copy, Debug)]
pub struct InlineExecutor;

impl<F> Executor<F> for InlineExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let mut future = Box::pin(future);
        // Nobody needs to be woken: what is not done is polled again right away, by its task.
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            tokio::spawn(future);
        }
    }
}
