//! Driver: placement by whichever kind of ring the cluster was founded with. A joiner hears of it only with its first catalog.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_ports::{ControlLog, Placement, Ring};
use ringway_ring::{Holders, NodeId, PartitionSet};
use ringway_rt::Tasks;
use tokio::sync::watch;

use crate::ManagedRing;

pub struct FoundedRing {
    log: Arc<dyn ControlLog>,
    managed: Arc<ManagedRing>,
    ring: Arc<dyn Ring>,
    holders: watch::Receiver<Arc<Holders>>,
}

impl FoundedRing {
    /// Follows the catalog until `tasks` stop. On the current runtime.
    pub fn start(own: NodeId, log: Arc<dyn ControlLog>, ring: Arc<dyn Ring>, tasks: &Tasks) -> Arc<Self> {
        let managed = ManagedRing::start(own, log.clone(), tasks);
        let (sender, holders) = watch::channel(Arc::clone(&managed.watch().borrow()));
        tasks.spawn("founded ring", follow(log.clone(), managed.watch(), ring.watch(), sender, tasks.clone()));
        Arc::new(Self { log, managed, ring, holders })
    }

    fn is_peer_to_peer(&self) -> bool {
        self.log.catalog().ring.is_chord()
    }
}

async fn follow(
    log: Arc<dyn ControlLog>,
    mut managed: watch::Receiver<Arc<Holders>>,
    mut peers: watch::Receiver<Arc<Holders>>,
    holders: watch::Sender<Arc<Holders>>,
    tasks: Tasks,
) {
    let mut catalog = log.watch();
    let kind = tokio::select! {
        biased;
        () = tasks.stopping() => return,
        known = catalog.wait_for(|catalog| !catalog.nodes.is_empty()) => match known {
            Ok(catalog) => catalog.ring,
            Err(_) => return,
        },
    };
    let source = if kind.is_chord() { &mut peers } else { &mut managed };
    loop {
        let now = source.borrow_and_update().clone();
        holders.send_replace(now);
        tokio::select! {
            biased;
            () = tasks.stopping() => return,
            changed = source.changed() => if changed.is_err() { return },
        }
    }
}

impl Placement for FoundedRing {
    fn watch(&self) -> watch::Receiver<Arc<Holders>> {
        self.holders.clone()
    }

    fn note_synced(&self, epoch: u64, partitions: PartitionSet) -> BoxFuture<'static, Result<(), String>> {
        if self.is_peer_to_peer() {
            return std::future::ready(Ok(())).boxed();
        }
        self.managed.note_synced(epoch, partitions)
    }

    fn peer_ring(&self) -> Option<Arc<dyn Ring>> {
        self.is_peer_to_peer().then(|| self.ring.clone())
    }
}
