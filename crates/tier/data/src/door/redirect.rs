//! Core: when a client is told to ask another node instead of being answered here.
//!
//! Normally never: a node asks the owner itself, one hop, and clients that know the slots come to the owner anyway. `MOVED slot
//! address` is said in two cases. With `--redis-redirect` a node does as Redis does and forwards nothing that its client can ask
//! for itself. Without it, a client that has shown to know about clusters gets it in place of `CLUSTERDOWN`, when this node cannot
//! reach the owner of a key but gossip has not found it dead: the client may have a way there.
//!
//! Nobody is sent in circles. The addressee is never this node, and it always serves: it answers reads of the partition, or it
//! is an earlier one of the replicas in the layout's order, so that a chain of replies gets shorter. A node that is only about to
//! hold the partition forwards, because the one it would name may have heard already that it no longer does.

use bytes::Bytes;
use ringway_ring::{NodeId, Slot};

use crate::bucket::Bucket;
use crate::door::cluster::address_of;
use crate::door::session::Session;
use crate::fail::Fail;
use crate::unit::Unit;
use crate::view::View;

const CLUSTERDOWN: &[u8] = b"-CLUSTERDOWN ";

/// Instead of running a command on these keys here; `None`: it is run, by whoever acts for each key.
pub(super) fn instead_of_running(
    view: &View,
    session: &Session,
    bucket: &Bucket,
    keys: &[&[u8]],
    only_reads: bool,
) -> Option<Fail> {
    let mut target = None;
    for (nth, key) in keys.iter().enumerate() {
        let node = other_node(view, session, bucket, key, only_reads);
        match nth {
            0 => target = node,
            // Redis asks for one slot; several are fine as long as one node has all of them.
            _ if node != target => return Some(Fail::CROSS_SLOT),
            _ => {}
        }
    }
    moved(view, session, bucket.slot_of(keys.first()?), target?)
}

/// Whom the client is to ask for a key, if not this node.
fn other_node(view: &View, session: &Session, bucket: &Bucket, key: &[u8], only_reads: bool) -> Option<NodeId> {
    let (partition, replicas) = (bucket.partition_of(key), bucket.replicas());
    let (reads, writes) = (view.own_reads(partition, replicas), view.own_writes(partition, replicas));
    let is_coming = writes && !reads;
    let may_answer = reads && only_reads && session.is_read_only();
    if is_coming || may_answer {
        return None;
    }
    let node = view.acting(partition, replicas).filter(|node| *node != view.own)?;
    address_of(view, node, session.local()).map(|_| node)
}

/// Instead of the reply of a command that these units are, if that says that nobody who holds its keys could be reached. Only where
/// all are in one slot: else some may have been written already.
pub(super) fn instead_of_failing(view: &View, session: &Session, units: &[Unit], reply: &[u8]) -> Option<Bytes> {
    let [unit] = units else { return None };
    if !session.knows_clusters() || !reply.starts_with(CLUSTERDOWN) {
        return None;
    }
    let (bucket, partition) = (session.bucket_of(view).ok()?, unit.own_partition());
    if view.own_writes(partition, bucket.replicas()) {
        return None;
    }
    let slot = bucket.slot_of(unit.keys().first()?);
    moved(view, session, slot, view.acting(partition, bucket.replicas())?).map(|fail| fail.reply())
}

fn moved(view: &View, session: &Session, slot: Slot, node: NodeId) -> Option<Fail> {
    if node == view.own {
        return None;
    }
    let address = address_of(view, node, session.local())?;
    metrics::counter!("ringway_data_redirects_total").increment(1);
    Some(Fail::of(format!("MOVED {} {address}", slot.0)))
}
