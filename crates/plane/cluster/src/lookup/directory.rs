//! Driver: router 0, the directory: one node that keeps, key by key, which node has it.
//!
//! It exists to show what it costs: state that grows with the number of keys, a node that everybody has to ask first, and answers
//! as old as its last round. It learns the keys by asking the members for theirs, page by page, when somebody asks for one that it
//! does not know, and not more often than every few seconds. What does not fit is not known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_ports::{Kv, KvError};
use ringway_ring::key_index::KEYS_MAX;
use ringway_ring::{KeyDirectory, NodeId, Partition, Point, VirtualNode, partition_of, point_of};
use ringway_rt::clock;
use tokio::sync::Mutex;

/// Buckets that are kept; the one learned longest ago makes room.
const BUCKETS_MAX: usize = 16;
const REFRESH_AFTER: Duration = Duration::from_secs(3);
const PAGE_KEYS: usize = 5_000;

pub struct Directory {
    kv: Arc<dyn Kv>,
    // Held while a bucket is learned: those who ask meanwhile wait for the same answer.
    buckets: Mutex<BTreeMap<String, Learned>>,
}

struct Learned {
    entries: KeyDirectory<VirtualNode>,
    /// Every key found room.
    is_whole: bool,
    at: Instant,
}

/// What the directory says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub place: Option<VirtualNode>,
    pub entries: u64,
    pub age: Duration,
    pub is_whole: bool,
}

impl Directory {
    pub fn new(kv: Arc<dyn Kv>) -> Self {
        Self { kv, buckets: Mutex::default() }
    }

    /// Who has the key of a bucket, as far as it was learned. `holder` says who holds a partition.
    pub async fn find(
        &self,
        bucket: &str,
        key: Point,
        holder: impl Fn(Partition) -> Option<NodeId>,
    ) -> Result<Entry, KvError> {
        let mut buckets = self.buckets.lock().await;
        let is_due = buckets
            .get(bucket)
            .is_none_or(|learned| learned.entries.find(key).is_none() && learned.at.elapsed() >= REFRESH_AFTER);
        if is_due {
            let learned = self.learn(bucket, holder).await?;
            buckets.insert(bucket.to_owned(), learned);
            forget_oldest(&mut buckets);
        }
        let learned = buckets.get(bucket).ok_or_else(|| KvError::NoBucket(bucket.to_owned()))?;
        Ok(Entry {
            place: learned.entries.find(key),
            entries: learned.entries.len() as u64,
            age: learned.at.elapsed(),
            is_whole: learned.is_whole,
        })
    }

    async fn learn(&self, bucket: &str, holder: impl Fn(Partition) -> Option<NodeId>) -> Result<Learned, KvError> {
        let mut learned = Learned { entries: KeyDirectory::default(), is_whole: true, at: clock::now() };
        let mut cursor = 0;
        loop {
            let page = self.kv.scan(bucket, cursor, PAGE_KEYS).await?;
            for key in page.keys {
                let partition = partition_of(&key);
                let Some(node) = holder(partition) else { continue };
                if learned.entries.enter(point_of(&key), VirtualNode { point: partition.end(), node }).is_err() {
                    learned.is_whole = false;
                    return Ok(learned);
                }
            }
            cursor = page.cursor;
            if cursor == 0 {
                return Ok(learned);
            }
        }
    }
}

fn forget_oldest(buckets: &mut BTreeMap<String, Learned>) {
    while buckets.len() > BUCKETS_MAX {
        let oldest = buckets.iter().min_by_key(|(_, learned)| learned.at).map(|(name, _)| name.clone());
        let Some(oldest) = oldest else { return };
        buckets.remove(&oldest);
    }
}

impl Entry {
    /// In words.
    pub fn told(&self, bucket: &str) -> String {
        let part = if self.is_whole { String::new() } else { format!(" (of more: it keeps {KEYS_MAX})") };
        let here = if self.place.is_some() { "" } else { ", and not this one" };
        format!("{} keys of {bucket}{part}{here}; learned {:.1} s ago", self.entries, self.age.as_secs_f64())
    }
}
