use openraft::testing::log::{StoreBuilder, Suite};

use super::super::state_machine::StateMachine;
use super::*;

struct TempDir(std::path::PathBuf);

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn temp_dir() -> TempDir {
    let path = std::env::temp_dir().join(format!("ringway-log-{:016x}", ringway_rt::random::number()));
    ringway_rt::files::create_private_dir(&path).unwrap();
    TempDir(path)
}

struct Builder;

impl StoreBuilder<Types, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), openraft::StorageError<Types>> {
        let dir = temp_dir();
        let disk = Disk::open(&dir.0.join("log.redb")).await.unwrap();
        Ok((dir, LogStore::new(disk.clone()), StateMachine::new(disk).0))
    }
}

#[tokio::test]
async fn the_store_keeps_the_promises_that_the_library_checks() {
    Suite::test_all(Builder).await.unwrap();
}

#[tokio::test]
async fn what_was_written_is_there_after_the_file_is_opened_again() {
    let dir = temp_dir();
    let path = dir.0.join("log.redb");
    let vote = Vote::new(3, 7);
    LogStore::new(Disk::open(&path).await.unwrap()).save_vote(&vote).await.unwrap();
    let mut store = LogStore::new(Disk::open(&path).await.unwrap());
    assert_eq!(store.read_vote().await.unwrap(), Some(vote));
}
