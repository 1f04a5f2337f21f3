//! Driver: asks all nodes the same thing at once. One that is down is not waited for, one that is slow only as long as the deadline.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use ringway_catalog::Catalog;
use ringway_ports::{Membership, Peers, Priority, Service};
use ringway_ring::NodeId;
use serde::de::DeserializeOwned;

use crate::api::{NodeRef, Reach};
use crate::peer_messages::Ask;
use crate::peer_service::PeerService;

pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(1);

pub(crate) struct Cluster {
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) membership: Arc<dyn Membership>,
    pub(crate) own: Arc<PeerService>,
}

/// What a node said, or why it said nothing.
pub(crate) struct Answer<T> {
    pub(crate) node: NodeRef,
    pub(crate) result: Result<T, String>,
}

impl Cluster {
    /// In the order of the catalog. `ask` makes the question for each node.
    pub(crate) async fn ask_all<T: DeserializeOwned + Send + 'static>(
        &self,
        catalog: &Catalog,
        ask: impl Fn(NodeId) -> Ask,
    ) -> Vec<Answer<T>> {
        self.ask_all_within(catalog, ask, ANSWER_WITHIN).await
    }

    /// The same, for questions that take longer.
    pub(crate) async fn ask_all_within<T: DeserializeOwned + Send + 'static>(
        &self,
        catalog: &Catalog,
        ask: impl Fn(NodeId) -> Ask,
        within: Duration,
    ) -> Vec<Answer<T>> {
        let calls = catalog.nodes.values().map(|info| {
            let node = NodeRef { id: info.id, name: info.name.clone() };
            let call = self.ask_within(info.id, ask(info.id), within);
            async move { Answer { node, result: call.await } }
        });
        join_all(calls).await
    }

    pub(crate) fn ask_within<T: DeserializeOwned + Send + 'static>(
        &self,
        node: NodeId,
        ask: Ask,
        within: Duration,
    ) -> BoxFuture<'static, Result<T, String>> {
        if node == self.peers.own_id() {
            let answer = self.own.answer(&ask);
            return async move { decoded(&answer.await?) }.boxed();
        }
        if self.reach(node) == Reach::Down {
            return std::future::ready(Err("not reachable".to_owned())).boxed();
        }
        let call = serde_json::to_vec(&ask)
            .map_err(|error| error.to_string())
            .map(|body| self.peers.call(node, Priority::Client, Service::Control, body.into(), within));
        async move { decoded(&call?.await.map_err(|error| error.to_string())?) }.boxed()
    }

    /// As gossip has it; this node itself is up.
    pub(crate) fn reach(&self, node: NodeId) -> Reach {
        if node == self.peers.own_id() {
            return Reach::Up;
        }
        self.membership.watch().borrow().get(&node).map_or(Reach::Down, |reach| (*reach).into())
    }
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes)
        .map_err(|error| format!("an answer that this version of Ringway does not know: {error}"))
}
