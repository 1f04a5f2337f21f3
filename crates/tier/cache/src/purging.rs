//! Driver: forgetting on all nodes, now; and by those who were away, when they are back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use ringway_ports::{Priority, Purge, Purged, Service};
use ringway_ring::NodeId;
use ringway_rt::Tasks;
use tokio::sync::oneshot;
use tracing::{debug, info};

use crate::message::{Ask, Reply, decode, encode};
use crate::presence::Presence;
use crate::purge_log::Position;
use crate::tier::Inner;

/// For one message. Nodes that are up answer within milliseconds.
const WITHIN: Duration = Duration::from_secs(1);
/// By then the others have caught up, or have given up for now.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

/// [`everywhere`] as a task: who asked may go away, and half a purge would be worse than none.
pub(crate) async fn begin(inner: Arc<Inner>, purge: Purge) -> Purged {
    let (done, purged) = oneshot::channel();
    let (runner, others) = (Arc::clone(&inner), others(&inner));
    inner.tasks.spawn_on(&inner.runtime, "cache purge", async move {
        // Nobody may be there any more to hear of it.
        let _told = done.send(everywhere(runner, purge).await);
    });
    // Only a node that stops does not finish it: then nobody is known to have forgotten.
    purged
        .await
        .unwrap_or_else(|_| Purged { missing: others.0.into_iter().chain(others.1).collect(), ..Purged::default() })
}

/// Forgets here and on all other nodes, twice: in between nobody has the old answer any more from whom somebody who had forgotten
/// it could have got it again.
pub(crate) async fn everywhere(inner: Arc<Inner>, purge: Purge) -> Purged {
    let at = inner.purges().log.push(purge.clone());
    let mut purged = Purged { nodes: vec![inner.deps.peers.own_id()], ..Purged::default() };
    purged.responses = inner.forget(&purge);
    let (reachable, missing) = others(&inner);
    purged.missing = missing;
    let mut left = reachable;
    for at in [None, Some(at)] {
        let ask = encode(&Ask::Forget { purge: purge.clone(), at });
        let replies = join_all(left.iter().map(|node| ask_one(&inner, *node, ask.clone()))).await;
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for (node, reply) in left.into_iter().zip(replies) {
            match reply {
                Ok(Reply::Forgot(count)) => {
                    purged.responses += count;
                    done.push(node);
                }
                _ => failed.push(node),
            }
        }
        purged.missing.extend(failed);
        purged.responses += inner.forget(&purge);
        left = done;
    }
    purged.nodes.extend(left);
    inner.purges().owed.extend(purged.missing.iter().copied());
    info!(?purge, responses = purged.responses, nodes = purged.nodes.len(), missing = purged.missing.len(), "purged");
    purged
}

/// Tells those who have missed something, until they have asked for it.
pub(crate) async fn remind(inner: &Arc<Inner>) {
    let (owed, at) = {
        let mut purges = inner.purges();
        if purges.owed.is_empty() {
            return;
        }
        let catalog = inner.deps.control.catalog();
        purges.owed.retain(|node| catalog.nodes.contains_key(node));
        let is_there = |node: &NodeId| inner.deps.membership.is_reachable(*node);
        (purges.owed.iter().copied().filter(is_there).collect::<Vec<_>>(), purges.log.at())
    };
    let ask = encode(&Ask::Said(at));
    let replies = join_all(owed.iter().map(|node| ask_one(inner, *node, ask.clone()))).await;
    let mut purges = inner.purges();
    // What began since then is owed for itself.
    let has_all = purges.log.at() == at;
    for (node, _) in owed.iter().zip(replies).filter(|(_, reply)| has_all && matches!(reply, Ok(Reply::Heard))) {
        purges.owed.remove(node);
    }
}

/// Asks nodes that can be reached again what they have purged meanwhile.
pub(crate) async fn follow(inner: Arc<Inner>, tasks: Tasks) {
    let mut reach = inner.deps.membership.watch();
    let mut presence = Presence::default();
    loop {
        let change = presence.see(&reach.borrow_and_update().clone());
        if !change.back.is_empty() {
            let hold = usize::from(change.was_away);
            inner.holding.fetch_add(hold, Ordering::Relaxed);
            let asked = join_all(change.back.iter().map(|node| catch_up(&inner, *node)));
            tokio::select! {
                biased;
                () = tasks.stopping() => return,
                _ = asked => {}
            }
            inner.holding.fetch_sub(hold, Ordering::Relaxed);
        }
        tokio::select! {
            biased;
            () = tasks.stopping() => return,
            changed = reach.changed() => if changed.is_err() { return },
        }
    }
}

/// Does what `node` has purged and this one has not heard of.
pub(crate) async fn catch_up(inner: &Arc<Inner>, node: NodeId) {
    if !inner.purges().asking.insert(node) {
        return;
    }
    let known = inner.purges().heard.of(node);
    let reply = ask_one(inner, node, encode(&Ask::Since(known))).await;
    inner.purges().asking.remove(&node);
    let Ok(Reply::Purges { purges, at }) = reply else {
        debug!(%node, "could not be asked what it has purged; it says so itself later");
        return;
    };
    let purges = purges.unwrap_or_else(|| vec![Purge::All]);
    purges.iter().for_each(|purge| inner.forget_again(purge));
    inner.purges().heard.catch_up(node, at);
    debug!(%node, count = purges.len(), "has caught up with its purges");
    if purges.is_empty() {
        return;
    }
    // Whoever this node asks may have been away as well: once more when they have caught up, too.
    let (again, stopping) = (Arc::clone(inner), inner.tasks.stopping());
    inner.tasks.spawn_on(&inner.runtime, "cache purges again", async move {
        tokio::select! {
            biased;
            () = stopping => {}
            () = tokio::time::sleep(AGAIN_AFTER) => purges.iter().for_each(|purge| again.forget_again(purge)),
        }
    });
}

/// A node has told this one to forget something.
pub(crate) fn told(inner: &Arc<Inner>, from: NodeId, purge: &Purge, at: Option<Position>) -> u64 {
    let count = inner.forget(purge);
    if at.is_some_and(|at| !inner.purges().heard.hear(from, at)) {
        let asker = Arc::clone(inner);
        inner.tasks.spawn_on(&inner.runtime, "cache purges missed", async move { catch_up(&asker, from).await });
    }
    count
}

pub(crate) async fn ask_one(inner: &Arc<Inner>, node: NodeId, ask: bytes::Bytes) -> Result<Reply, String> {
    let call = inner.deps.peers.call(node, Priority::Client, Service::Cache, ask, WITHIN);
    let reply = call.await.map_err(|error| error.to_string())?;
    decode(&reply).map_err(|error| error.to_string())
}

/// Who can be reached, and who cannot.
pub(crate) fn others(inner: &Inner) -> (Vec<NodeId>, Vec<NodeId>) {
    let (own, catalog) = (inner.deps.peers.own_id(), inner.deps.control.catalog());
    let nodes = catalog.nodes.keys().copied().filter(|node| *node != own);
    nodes.partition(|node| inner.deps.membership.is_reachable(*node))
}
