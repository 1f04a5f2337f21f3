use super::*;
use crate::testing::TempDir;

const ROUNDS: usize = 20;
const WRITERS: usize = 50;

#[test]
fn writers_of_one_thread_share_a_sync() {
    let dir = TempDir::new();
    let (log, _) = Log::open(&dir.0, LogConfig::default(), |_| {}).unwrap();
    let log = Arc::new(log);
    block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..WRITERS {
            let log = log.clone();
            writers.spawn(async move {
                for _ in 0..ROUNDS {
                    let position = log.append(1, Durability::Sync, b"value").unwrap();
                    log.synced(position).await.unwrap();
                }
            });
        }
        while let Some(done) = writers.join_next().await {
            done.unwrap();
        }
    });
    let syncs = log.sync_count();
    assert!((1..=ROUNDS as u64 + 5).contains(&syncs), "{syncs} syncs for {ROUNDS} rounds of {WRITERS} writers");
}

#[test]
fn a_waiter_that_goes_away_leaves_nobody_waiting() {
    let (log, _) = open(&FaultyVolume::default());
    block_on(async {
        let position = log.append(1, Durability::Sync, b"value").unwrap();
        let mut first = Box::pin(log.synced(position));
        let second = log.synced(position);
        // The first one has been given the task to ring for the writer, and goes without having done so.
        assert!(futures_now_or_never(&mut first).is_none());
        tokio::select! {
            biased;
            done = second => done.unwrap(),
            () = async { drop(first); std::future::pending().await } => {}
        }
    });
}

fn futures_now_or_never<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn a_batched_write_waits_for_no_sync_but_gets_one_soon() {
    let volume = FaultyVolume::default();
    let (log, _) = open(&volume);
    let position = log.append(1, Durability::Batch, b"value").unwrap();
    block_on(log.acknowledged(position, Durability::Batch)).unwrap();
    volume.wait_until_safe(b"value");
    block_on(log.synced(position)).unwrap();
    assert_eq!(log.sync_count(), 1);
}

#[test]
fn what_waits_for_nothing_is_synced_at_leisure() {
    let volume = FaultyVolume::default();
    let (log, _) = open(&volume);
    let position = log.append(1, Durability::Memory, b"value").unwrap();
    block_on(log.acknowledged(position, Durability::Memory)).unwrap();
    volume.wait_until_safe(b"value");
    block_on(log.synced(position)).unwrap();
    assert_eq!(log.sync_count(), 1);
}
