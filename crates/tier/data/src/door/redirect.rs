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

use ringway_protocol::resp::Reply;
use ringway_ring::{NodeId, Partition, Slot, slot_of};

use crate::door::cluster::{address_of, replicas_of};
use crate::door::session::Session;
use crate::op::Op;
use crate::view::View;

const CROSSSLOT: Reply = Reply::error("CROSSSLOT Keys in request don't hash to the same slot");
const CLUSTERDOWN: &str = "CLUSTERDOWN ";

/// Instead of running a command on these keys here; `None`: it is run, by whoever acts for each key.
pub(super) fn instead_of_running(view: &View, session: &Session, ops: &[Op], only_reads: bool) -> Option<Reply> {
    let replicas = replicas_of(view, session.bucket());
    let mut target = None;
    for (nth, op) in ops.iter().enumerate() {
        let node = other_node(view, session, op, replicas, only_reads);
        match nth {
            0 => target = node,
            // Redis asks for one slot; several are fine as long as one node has all of them.
            _ if node != target => return Some(CROSSSLOT),
            _ => {}
        }
    }
    moved(view, session, slot_of(&ops.first()?.key), target?)
}

/// Whom the client is to ask for a key, if not this node.
fn other_node(view: &View, session: &Session, op: &Op, replicas: usize, only_reads: bool) -> Option<NodeId> {
    let partition = op.partition();
    let (reads, writes) = (view.own_reads(partition, replicas), view.own_writes(partition, replicas));
    let is_coming = writes && !reads;
    let may_answer = reads && only_reads && session.is_read_only();
    if is_coming || may_answer {
        return None;
    }
    let node = view.acting(partition, replicas).filter(|node| *node != view.own)?;
    address_of(view, node, session.local()).map(|_| node)
}

/// Instead of the reply of a command on these keys, if that says that nobody who holds one could be reached. Only where all are
/// in one slot: else some may have been written already.
pub(super) fn instead_of_failing(
    view: &View,
    session: &Session,
    keys: &[(Partition, Op)],
    reply: &Reply,
) -> Option<Reply> {
    let (Reply::Error(text), [(partition, first), others @ ..]) = (reply, keys) else { return None };
    if !session.knows_clusters() || !text.starts_with(CLUSTERDOWN) {
        return None;
    }
    let (slot, replicas) = (slot_of(&first.key), replicas_of(view, session.bucket()));
    let is_one_slot = others.iter().all(|(_, op)| slot_of(&op.key) == slot);
    if !is_one_slot || view.own_writes(*partition, replicas) {
        return None;
    }
    moved(view, session, slot, view.acting(*partition, replicas)?)
}

fn moved(view: &View, session: &Session, slot: Slot, node: NodeId) -> Option<Reply> {
    if node == view.own {
        return None;
    }
    let address = address_of(view, node, session.local())?;
    metrics::counter!("ringway_data_redirects_total").increment(1);
    Some(Reply::Error(format!("MOVED {} {address}", slot.0).into()))
}
