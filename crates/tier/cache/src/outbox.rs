//! Driver: tells the other nodes which addresses an app has changed (RFC 9111, 4.4, for the cluster).
//!
//! Those that come while others are on their way go together, so that many changes are few messages. A node that cannot be reached is
//! not told later, as it would be of a purge: what it has stored ends with its lifetime.

use std::sync::Arc;

use futures_util::future::join_all;
use ringway_ports::Purge;
use ringway_rt::Tasks;
use tokio::sync::mpsc;
use tracing::debug;

use crate::message::{Ask, encode};
use crate::purging::{ask_one, others};
use crate::tier::{CacheKeyParts, Inner};

pub(crate) const QUEUE_MAX: usize = 4096;
const TOGETHER_MAX: usize = 256;

pub(crate) async fn tell(inner: Arc<Inner>, mut changed: mpsc::Receiver<CacheKeyParts>, tasks: Tasks) {
    let mut batch = Vec::new();
    loop {
        batch.clear();
        tokio::select! {
            biased;
            () = tasks.stopping() => return,
            count = changed.recv_many(&mut batch, TOGETHER_MAX) => if count == 0 { return },
        }
        batch.sort();
        batch.dedup();
        tokio::select! {
            biased;
            () = tasks.stopping() => return,
            () = tell_all(&inner, &batch) => {}
        }
    }
}

/// Twice, as with a purge: a node that forgot before the owner did could have got the old answer once more.
async fn tell_all(inner: &Arc<Inner>, batch: &[CacheKeyParts]) {
    let (nodes, _) = others(inner);
    if nodes.is_empty() {
        return;
    }
    let ask = encode(&Ask::Changed(batch.to_vec()));
    for _round in 0..2 {
        let replies = join_all(nodes.iter().map(|node| ask_one(inner, *node, ask.clone()))).await;
        for (node, error) in nodes.iter().zip(replies).filter_map(|(node, reply)| Some((node, reply.err()?))) {
            debug!(%node, error, "could not be told what has changed");
        }
        for (host, target) in batch {
            inner.forget_again(&Purge::Url { tls: None, host: host.clone(), target: target.clone() });
        }
    }
}
