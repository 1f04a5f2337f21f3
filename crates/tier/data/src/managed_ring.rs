//! Driver: the managed ring as a [`Placement`]: holders from the agreed catalog, reports into the control log.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_catalog::{Catalog, Command};
use ringway_ports::{ControlLog, Placement};
use ringway_ring::{Holders, NodeId, Partition, PartitionSet};
use ringway_rt::Tasks;
use tokio::sync::watch;
use tracing::{debug, info};

/// Between attempts when the log has no leader.
const PAUSE: Duration = Duration::from_millis(500);

pub struct ManagedRing {
    own: NodeId,
    log: Arc<dyn ControlLog>,
    holders: watch::Receiver<Arc<Holders>>,
    /// What this node said before it started is taken back.
    is_clear: watch::Receiver<bool>,
}

impl ManagedRing {
    /// Follows the catalog until `tasks` stop. On the current runtime.
    pub fn start(own: NodeId, log: Arc<dyn ControlLog>, tasks: &Tasks) -> Arc<Self> {
        let catalog = log.watch();
        let first = Arc::new(catalog.borrow().holders());
        let (sender, holders) = watch::channel(first);
        tasks.spawn("managed ring", follow(catalog, sender, tasks.clone()));
        let (clear, is_clear) = watch::channel(false);
        let (clearing_log, clearing_tasks) = (log.clone(), tasks.clone());
        tasks.spawn("managed ring: take back", async move {
            tokio::select! {
                biased;
                () = clearing_tasks.stopping() => {}
                () = take_back(own, &*clearing_log) => { clear.send_replace(true); }
            }
        });
        Arc::new(Self { own, log, holders, is_clear })
    }
}

/// This node's memory is empty now, and its disk has missed writes: what it said of partitions that have not switched yet counts no
/// more, and writes that it took for them before the start have to be sent again: a new epoch.
async fn take_back(own: NodeId, log: &dyn ControlLog) {
    let was_member = log.catalog().nodes.contains_key(&own);
    let mut catalog = log.watch();
    loop {
        let has_said = {
            let Ok(catalog) = catalog.wait_for(|catalog| catalog.nodes.contains_key(&own)).await else { return };
            let is_meant =
                |p: Partition| (was_member && catalog.gainers(p).contains(&own)) || catalog.moves.has_synced(p, own);
            catalog.moves.partitions().any(is_meant)
        };
        if !has_said {
            return;
        }
        match log.propose(Command::Unsync { node: own }).await {
            Ok(_) => return info!("this node has started again: what it was to get is compared anew"),
            Err(error) => debug!(%error, "could not take back what was said before the start, will try again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(mut catalog: watch::Receiver<Arc<Catalog>>, holders: watch::Sender<Arc<Holders>>, tasks: Tasks) {
    loop {
        tokio::select! {
            biased;
            () = tasks.stopping() => return,
            changed = catalog.changed() => if changed.is_err() { return },
        }
        let now = catalog.borrow_and_update().holders();
        holders.send_if_modified(|known| {
            let is_new = **known != now;
            if is_new {
                *known = Arc::new(now);
            }
            is_new
        });
    }
}

impl Placement for ManagedRing {
    fn watch(&self) -> watch::Receiver<Arc<Holders>> {
        self.holders.clone()
    }

    fn note_synced(&self, epoch: u64, partitions: PartitionSet) -> BoxFuture<'static, Result<(), String>> {
        let (own, log, mut is_clear) = (self.own, self.log.clone(), self.is_clear.clone());
        async move {
            is_clear.wait_for(|clear| *clear).await.map_err(|_| "this node is stopping".to_owned())?;
            let said = Command::Synced { node: own, epoch, partitions: Some(partitions) };
            log.propose(said).await.map(drop).map_err(|error| error.to_string())
        }
        .boxed()
    }
}
