//! Driver: CLUSTER: the ring as cluster-aware Redis clients see it ([`slot_map`]), and what it cannot be told.
//!
//! By default any node answers for any key, so nobody has to know the slots; a client that does saves a hop. Who is to be asked
//! instead, where that is wanted, is [`crate::door::redirect`]'s. Addresses are always explicit: ioredis and phpredis fail on an
//! empty host.

mod slot_map;
mod told;

use std::sync::Arc;

use bytes::Bytes;
use ringway_catalog::LAYOUT_REPLICAS;
use ringway_protocol::resp::Reply;
use ringway_protocol::resp::number::parse_int;
use ringway_ring::{NodeId, SLOT_COUNT, Slot, slot_of};

pub(super) use self::slot_map::{SlotMap, address_of};
use crate::bucket::Bucket;
use crate::call::Args;
use crate::door::session::{Session, unknown_subcommand};
use crate::fail::{Fail, Ran};
use crate::scan::SCAN_COUNT_MAX;
use crate::view::View;
use crate::{DataTier, Error, peer_door};

const INVALID_SLOT: Fail = Fail::new("ERR Invalid or out of range slot");
/// Cells looked at between two pauses for others.
const PAGE_CELLS: u32 = 1024;
const AGREED: Fail =
    Fail::new("ERR the nodes agree on the ring by themselves: use `ringway join`, `ringway leave` and `ringway ring`");

pub(super) async fn run(tier: &Arc<DataTier>, session: &Session, args: Args<'_>) -> Ran<Reply> {
    let (view, bucket) = (tier.view(), session.bucket());
    let map = || SlotMap::new(&view, replicas_of(&view, bucket), session.local());
    Ok(match (args[1].to_ascii_uppercase().as_slice(), &args[2..]) {
        (b"SLOTS", []) => map().slots(tells_replicas(tier, session)),
        (b"SHARDS", []) => map().shards(),
        (b"NODES", []) => Reply::Verbatim(map().nodes()),
        (b"REPLICAS" | b"SLAVES", [node]) => map().replicas(node),
        (b"INFO", []) => Reply::Verbatim(map().info()),
        (b"LINKS", []) => Reply::Array(Vec::new()),
        (b"MYID" | b"MYSHARDID", []) => Reply::text(id(tier.own)),
        (b"KEYSLOT", [key]) => Reply::Int(i64::from(slot_of(key).0)),
        (b"COUNTKEYSINSLOT", [slot]) => Reply::Int(keys_in_slot(tier, bucket, slot, usize::MAX).await?.len() as i64),
        (b"GETKEYSINSLOT", [slot, count]) => get_keys_in_slot(tier, bucket, slot, count).await?,
        (
            b"ADDSLOTS" | b"ADDSLOTSRANGE" | b"BUMPEPOCH" | b"DELSLOTS" | b"DELSLOTSRANGE" | b"FAILOVER"
            | b"FLUSHSLOTS" | b"FORGET" | b"MEET" | b"REPLICATE" | b"RESET" | b"SAVECONFIG" | b"SET-CONFIG-EPOCH"
            | b"SETSLOT",
            _,
        ) => return Err(AGREED),
        _ => return Err(unknown_subcommand(args)),
    })
}

/// redis-py takes a node that is told as a replica of anything for a replica and no more, and leaves it out when it asks "all
/// primaries" for their keys. Where a node answers for the whole bucket that does no harm. Where it does not, only clients that
/// want to read from replicas hear of them.
fn tells_replicas(tier: &DataTier, session: &Session) -> bool {
    !tier.config.redis_redirect || session.is_read_only()
}

/// Whether a client that says this knows what to make of MOVED.
pub(super) fn asks_for_slots(args: Args<'_>) -> bool {
    matches!(args[1].to_ascii_uppercase().as_slice(), b"SLOTS" | b"SHARDS" | b"NODES")
}

/// How many copies the bucket has; of one that is not known, where its keys are first.
pub(super) fn replicas_of(view: &View, bucket: Option<&str>) -> usize {
    let entry = bucket.and_then(|name| view.catalog.buckets.get(name));
    entry.map_or(1, |bucket| usize::from(bucket.spec.replicas).clamp(1, LAYOUT_REPLICAS))
}

/// Redis' node ids have 40 digits, ours 32.
fn id(node: NodeId) -> String {
    format!("{node}00000000")
}

async fn get_keys_in_slot(tier: &Arc<DataTier>, bucket: Option<&str>, slot: &[u8], count: &[u8]) -> Ran<Reply> {
    let count = parse_int(count).ok_or(Fail::NOT_AN_INTEGER)?;
    let count = usize::try_from(count).map_err(|_| Fail::new("ERR Invalid number of keys"))?;
    let mut keys = keys_in_slot(tier, bucket, slot, count.min(SCAN_COUNT_MAX)).await?;
    keys.truncate(count);
    Ok(Reply::Array(keys.into_iter().map(Reply::Bulk).collect()))
}

/// What this node itself holds, as in Redis: at least `enough` if there are as many.
async fn keys_in_slot(tier: &Arc<DataTier>, bucket: Option<&str>, slot: &[u8], enough: usize) -> Ran<Vec<Bytes>> {
    let number = parse_int(slot).ok_or(Fail::NOT_AN_INTEGER)?;
    let slot =
        u16::try_from(number).ok().filter(|slot| usize::from(*slot) < SLOT_COUNT).map(Slot).ok_or(INVALID_SLOT)?;
    let (_, bucket) = tier.bucket(bucket.unwrap_or_default()).await?;
    let (mut keys, mut next) = (Vec::new(), Some(0));
    while let (Some(from), true) = (next, keys.len() < enough) {
        let (page, after) = page(&bucket, slot, from).await?;
        keys.extend(page.into_iter().filter(|key| bucket.slot_of(key) == slot));
        next = after;
    }
    Ok(keys)
}

async fn page(bucket: &Arc<Bucket>, slot: Slot, from: u64) -> Result<(Vec<Bytes>, Option<u64>), Error> {
    let (reading, partition) = (bucket.clone(), slot.partition().0);
    if !bucket.store().is_on_disk() {
        return peer_door::keys(&reading, partition, from, PAGE_CELLS);
    }
    let read = tokio::task::spawn_blocking(move || peer_door::keys(&reading, partition, from, PAGE_CELLS)).await;
    read.map_err(|panic| Error::Internal(panic.to_string()))?
}
