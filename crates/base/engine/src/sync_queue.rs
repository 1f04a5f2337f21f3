//! Driver: one sync for all who wait for one (group commit).
//!
//! Like a lift: whoever arrives while it is under way takes the next one together. One thread calls fsync; all writes that were
//! in the journal before it began are safe when it is done.

use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::Error;

/// How many may wait at once; more wait to wait.
const QUEUE_LEN_MAX: usize = 4096;

type Waiter = oneshot::Sender<Result<(), Error>>;

#[derive(Debug)]
pub(crate) struct SyncQueue {
    waiters: Option<mpsc::Sender<Waiter>>,
    thread: Option<JoinHandle<()>>,
}

impl SyncQueue {
    /// `sync` makes everything written so far durable.
    pub(crate) fn start(sync: impl Fn() -> Result<(), Error> + Send + 'static) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE_LEN_MAX);
        let thread = std::thread::Builder::new().name("ringway-sync".to_owned()).spawn(move || run(receiver, sync))?;
        Ok(Self { waiters: Some(sender), thread: Some(thread) })
    }

    /// Waits until what was written before this call is on disk.
    pub(crate) async fn synced(&self) -> Result<(), Error> {
        let (waiter, done) = oneshot::channel();
        let waiters = self.waiters.as_ref().ok_or(Error::Closed)?;
        waiters.send(waiter).await.map_err(|_| Error::Closed)?;
        done.await.map_err(|_| Error::Closed)?
    }
}

fn run(mut waiters: mpsc::Receiver<Waiter>, sync: impl Fn() -> Result<(), Error>) {
    let mut group = Vec::new();
    while waiters.blocking_recv_many(&mut group, QUEUE_LEN_MAX) > 0 {
        let result = sync();
        metrics::histogram!("ringway_data_sync_group_size").record(group.len() as f64);
        for waiter in group.drain(..) {
            // Who has gone away meanwhile does not mind.
            let _ = waiter.send(result.clone());
        }
    }
}

impl Drop for SyncQueue {
    fn drop(&mut self) {
        self.waiters = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
