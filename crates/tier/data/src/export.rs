//! Driver: a whole bucket out of this tier and into it, keys with their types and expiry.
//!
//! Out: partition after partition from its acting primary, a page under the partition's lock. In: each key as one transaction, as if a
//! client had sent it, so it is versioned, replicated and stored like everything else.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringway_engine::page::{PageLimit, position_of};
use ringway_ports::{Existing, KvError, KvRecord, KvRecords, Priority};
use ringway_protocol::resp::{Reply, RespVersion, read_reply};
use ringway_ring::Partition;
use ringway_rt::clock::wall_ms;
use ringway_values::State;

use crate::bucket::Bucket;
use crate::kv_record::{record_of, unit_of};
use crate::message::{DataReply, DataRequest};
use crate::replicate::encoded_state;
use crate::scan::{Cursor, Scope};
use crate::view::View;
use crate::{DataTier, Error};

/// A page may have a value of hundreds of megabytes.
const DEADLINE: Duration = Duration::from_secs(20);
/// Keys of a page, however small.
const KEYS_MAX: usize = 4096;

/// Keys with their encoded states, and where the partition goes on.
pub(crate) type Exported = (Vec<(Bytes, Bytes)>, Option<u64>);

/// Which part of a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) partition: Partition,
    pub(crate) from: u64,
    pub(crate) keys_max: usize,
    pub(crate) bytes_max: usize,
}

impl DataTier {
    pub(crate) async fn export_from(
        self: &Arc<Self>,
        bucket: &str,
        cursor: u64,
        bytes_max: usize,
    ) -> Result<KvRecords, KvError> {
        self.hear_of_others().await;
        let (view, bucket) = self.bucket(bucket).await?;
        let view = self.find_holders(view, Partition::all()).await;
        let Some(start) = Cursor::from_number(cursor) else {
            return Err(KvError::Invalid(format!("{cursor} is not a cursor that an export has given")));
        };
        let counts = self.counts(&view, &bucket, Scope::Bucket).await?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        for partition in Partition::all().skip(usize::from(start.partition)) {
            if counts[partition.index()] == 0 {
                continue;
            }
            if bytes >= bytes_max || records.len() >= KEYS_MAX {
                return Ok(KvRecords { records, cursor: Cursor { partition: partition.0, position: 0 }.number() });
            }
            let from = if partition.0 == start.partition { start.position } else { 0 };
            // What is left of the page is not made up with the beginning of a partition that would fit as a whole into the next one.
            let part = Part { partition, from, keys_max: KEYS_MAX, bytes_max };
            let (some, next) = self.part_of(&view, &bucket, part).await?;
            bytes += some.iter().map(|record| record.key.len() + record.value.bytes()).sum::<usize>();
            records.extend(some);
            if let Some(position) = next {
                return Ok(KvRecords { records, cursor: Cursor { partition: partition.0, position }.number() });
            }
        }
        Ok(KvRecords { records, cursor: 0 })
    }

    pub(crate) async fn read_record(self: &Arc<Self>, bucket: &str, key: Bytes) -> Result<Option<KvRecord>, KvError> {
        self.hear_of_others().await;
        let (view, bucket) = self.bucket(bucket).await?;
        let partition = bucket.partition_of(&key);
        let view = self.find_holders(view, [partition].into_iter()).await;
        // Keys of one position are never torn apart: it is on the first page.
        let part = Part { partition, from: position_of(&key), keys_max: 1, bytes_max: 1 };
        let (records, _) = self.part_of(&view, &bucket, part).await?;
        Ok(records.into_iter().find(|record| record.key == key))
    }

    pub(crate) async fn import_records(
        self: &Arc<Self>,
        bucket_name: &str,
        records: Vec<KvRecord>,
        existing: Existing,
    ) -> Result<u64, KvError> {
        let (_, bucket) = self.bucket(bucket_name).await?;
        let now_ms = wall_ms();
        let live = records.into_iter().filter(|record| record.expires_ms.is_none_or(|at| at > now_ms));
        let units = live.map(|record| {
            let partition = bucket.partition_of(&record.key);
            unit_of(record, partition, existing)
        });
        let mut written = 0;
        for reply in self.run_units(bucket_name, units.collect(), RespVersion::Three).await {
            written += u64::from(is_written(&reply)?);
        }
        Ok(written)
    }

    async fn part_of(
        self: &Arc<Self>,
        view: &View,
        bucket: &Arc<Bucket>,
        part: Part,
    ) -> Result<(Vec<KvRecord>, Option<u64>), Error> {
        let (states, next) = self.states_of(view, bucket, part).await?;
        let now_ms = wall_ms();
        let mut records = Vec::with_capacity(states.len());
        for (key, state) in states {
            let state = State::decode(&state).map_err(|damaged| Error::Internal(damaged.to_string()))?;
            records.extend(record_of(key, &state, now_ms));
        }
        Ok((records, next))
    }

    async fn states_of(self: &Arc<Self>, view: &View, bucket: &Arc<Bucket>, part: Part) -> Result<Exported, Error> {
        let node = self.acting_or_error(view, bucket, part.partition)?;
        if node == self.own {
            self.freshen(view, bucket, [part.partition].into_iter()).await?;
            return self.own_states(bucket, part).await;
        }
        let request = DataRequest::Export {
            bucket: Cow::Borrowed(&bucket.name),
            partition: part.partition.0,
            from: part.from,
            keys_max: part.keys_max as u32,
            bytes_max: part.bytes_max as u64,
        };
        match self.call_data(node, Priority::Client, &request, DEADLINE).await {
            Ok(DataReply::Exported { states, next }) => Ok((states, next)),
            Ok(DataReply::Misdirected) => Err(self.misdirected(node, &[part.partition.0])),
            Ok(_) => Err(Error::Internal(format!("{node:?} answered something else than an export"))),
            Err(error) => {
                self.note_failure(node);
                Err(Error::Unreachable(error.to_string()))
            }
        }
    }

    /// Of this node. A disk bucket is read on a thread that may wait.
    pub(crate) async fn own_states(&self, bucket: &Arc<Bucket>, part: Part) -> Result<Exported, Error> {
        let reading = bucket.clone();
        if !bucket.store().is_on_disk() {
            return states(&reading, part);
        }
        let read = tokio::task::spawn_blocking(move || states(&reading, part)).await;
        read.map_err(|panic| Error::Internal(panic.to_string()))?
    }
}

fn states(bucket: &Bucket, part: Part) -> Result<Exported, Error> {
    let limit = PageLimit { cells_max: part.keys_max.clamp(1, KEYS_MAX), bytes_max: part.bytes_max };
    let (page, now_ms) = (bucket.store().page(part.partition, part.from, limit)?, wall_ms());
    let live = page.states.into_iter().filter(|(_, state)| state.is_live(now_ms));
    Ok((live.map(|(key, state)| (key, encoded_state(&state))).collect(), page.next))
}

/// Whether a transaction of [`unit_of`] was done: not if the key was there.
fn is_written(reply: &[u8]) -> Result<bool, KvError> {
    match read_reply(reply) {
        Ok(Some((Reply::Array(replies), _))) => match replies.into_iter().find_map(error_text) {
            Some(text) => Err(refused(text)),
            None => Ok(true),
        },
        Ok(Some((Reply::Null | Reply::NullArray, _))) => Ok(false),
        Ok(Some((Reply::Error(text), _))) => Err(refused(text.into_owned())),
        _ => Err(Error::Internal("no reply".to_owned()).into()),
    }
}

fn error_text(reply: Reply) -> Option<String> {
    match reply {
        Reply::Error(text) => Some(text.into_owned()),
        _ => None,
    }
}

/// What a command says when it is not done, by whether it is worth trying again.
pub(crate) fn refused(text: String) -> KvError {
    const IN_A_MOMENT: [&str; 6] = ["CLUSTERDOWN", "TRYAGAIN", "MISCONF", "OOM", "LOADING", "BUSY"];
    match IN_A_MOMENT.iter().any(|code| text.starts_with(code)) {
        true => KvError::Unavailable(text),
        false => KvError::Invalid(text),
    }
}
