//! Driver: nodes that were cut off and are back are not asked to execute before they see those whom this node sees.
//!
//! The two sides of a healed partition do not notice it at the same moment. A replica that takes the others for dead still
//! believes that it has missed nothing; executing an increment on what it has would give an old number a new version, and every
//! write of the others' side would be lost. So whoever sees it again asks it first, and passes it over as long as it can; once it
//! sees the others, it knows that it may have missed something ([`crate::bucket`]) and asks them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ringway_ports::{Priority, Reach};
use ringway_ring::NodeId;
use ringway_rt::clock;
use tokio::sync::Notify;
use tracing::{debug, warn};

use crate::DataTier;
use crate::message::{DataReply, DataRequest};
use crate::view::Reached;

const PAUSE: Duration = Duration::from_millis(50);
const ANSWER_DEADLINE: Duration = Duration::from_millis(500);
/// Gossip takes less than that to tell it of everybody. After it, a node that differs for good is taken as it is.
const RETURN_MAX: Duration = Duration::from_secs(10);

/// Those that were down, are not any more, and have not yet said that they see the others; with the time of their return.
#[derive(Default)]
pub(crate) struct Returning {
    nodes: Mutex<BTreeMap<NodeId, Instant>>,
    is_any: Notify,
}

impl Returning {
    /// Gossip has news. Who is returning after that.
    pub(crate) fn note(&self, before: &Reached, now: &Reached) -> BTreeSet<NodeId> {
        let mut nodes = self.nodes();
        nodes.retain(|node, _| now.get(node).is_some_and(|reach| *reach != Reach::Down));
        // One that has not been heard of before starts, and asks the others anyway.
        let is_back = |node: &NodeId, reach: &Reach| *reach != Reach::Down && before.get(node) == Some(&Reach::Down);
        for (node, _) in now.iter().filter(|(node, reach)| is_back(node, reach)) {
            nodes.insert(*node, clock::now());
            self.is_any.notify_one();
        }
        nodes.keys().copied().collect()
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<NodeId, Instant>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks them, until told to stop.
pub(crate) async fn run(tier: Arc<DataTier>) {
    loop {
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            () = tier.returning.is_any.notified() => {}
        }
        while tier.ask_the_returning().await {
            tokio::select! {
                biased;
                () = tier.tasks.stopping() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

impl DataTier {
    /// Whether to ask again.
    async fn ask_the_returning(&self) -> bool {
        let asked: Vec<(NodeId, Instant)> =
            self.returning.nodes().iter().map(|(node, since)| (*node, *since)).collect();
        let answers = join_all(asked.iter().map(|(node, since)| self.sees_the_others(*node, *since))).await;
        let back: BTreeMap<NodeId, Instant> =
            asked.into_iter().zip(answers).filter(|(_, is_back)| *is_back).map(|(asked, _)| asked).collect();
        let is_any = {
            let mut nodes = self.returning.nodes();
            // One of them may have gone and come again meanwhile.
            nodes.retain(|node, since| back.get(node) != Some(since));
            !nodes.is_empty()
        };
        if !back.is_empty() {
            self.look_again();
        }
        is_any
    }

    /// Whether `node` sees everybody whom this node sees; or has not said so for long, and is believed to.
    async fn sees_the_others(&self, node: NodeId, since: Instant) -> bool {
        if since.elapsed() >= RETURN_MAX {
            warn!(peer = %node, "a node that is back does not see all that this one sees; it is asked again nevertheless");
            return true;
        }
        let view = self.view();
        let nodes = view.reachable_peers().into_iter().filter(|other| *other != node).chain([self.own]).collect();
        match self.call_data(node, Priority::Client, &DataRequest::Sees { nodes }, ANSWER_DEADLINE).await {
            Ok(DataReply::Seen(sees)) => sees,
            Ok(_) => false,
            Err(error) => {
                debug!(peer = %node, %error, "a node that is back does not answer yet");
                false
            }
        }
    }
}
