//! Driver: this node's place in the consensus group.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::error::{ClientWriteError, RaftError};
use openraft::{ChangeMembers, RaftMetrics, SnapshotPolicy};
use ringway_ports::{Peers, Service};
use ringway_ring::NodeId;

use super::log_store::{Disk, LogStore};
use super::network::{Answers, Network};
use super::state_machine::{StateMachine, View};
use super::types::{Proposal, Reply, Seat, Types};
use crate::error::{Error, internal};

pub type Raft = openraft::Raft<Types, StateMachine>;

/// A compromise, measured with three nodes on loopback: a new leader is there 2.8 to 3.1 s after the old one was killed, and an idle
/// node costs 0.5 % of a core. Half of these figures halve the one and double the other. The catalog is read locally all the
/// while; only changes to it wait for a leader.
const HEARTBEAT_MS: u64 = 200;
const ELECTION_MS: (u64, u64) = (800, 1600);
const SNAPSHOT_EVERY: u64 = 500;
/// Entries that are kept behind a snapshot, so that a node which missed a few need not take the snapshot.
const KEPT_ENTRIES: u64 = 100;
const LAG_MAX: u64 = 1000;
const PAYLOAD_ENTRIES_MAX: u64 = 256;

/// Why a write did not come back with a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// Certainly not done; this one may know more.
    NotLeader(Option<NodeId>),
    /// May or may not be done.
    Unclear(String),
    Stopped,
}

/// Who is in the group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seats {
    pub voters: BTreeSet<NodeId>,
    pub learners: BTreeSet<NodeId>,
    /// In the middle of a change of voters.
    pub joint: bool,
    /// On the leader: members that have nearly all of the log.
    pub caught_up: BTreeSet<NodeId>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Group {
    own_id: NodeId,
    raft: Raft,
    view: View,
}

impl Group {
    /// Makes the file if there is none. Before a node is a member: from then on, that it is gone means something.
    pub async fn prepare(path: &Path) -> Result<(), Error> {
        Disk::open(path).await.map(drop)
    }

    /// Takes up what is on disk. Does nothing until there is a membership: from [`Group::found`], or from a leader.
    pub async fn open(path: &Path, peers: Arc<dyn Peers>) -> Result<Self, Error> {
        let disk = Disk::open(path).await?;
        let (state_machine, view) = StateMachine::new(disk.clone());
        let own_id = peers.own_id();
        let network = Network { peers: peers.clone() };
        let raft = Raft::new(own_id.as_u64(), Arc::new(config()?), network, LogStore::new(disk), state_machine)
            .await
            .map_err(|e| Error::Damaged { path: path.to_owned(), why: e.to_string() })?;
        peers.serve(Service::Consensus, Arc::new(Answers::new(raft.clone())));
        let group = Self { own_id, raft, view };
        group.lead_if_alone().await?;
        Ok(group)
    }

    /// A sole voter need not wait for others to be silent.
    async fn lead_if_alone(&self) -> Result<(), Error> {
        if self.seats().voters == BTreeSet::from([self.own_id]) {
            self.raft.trigger().elect(false).await.map_err(|e| internal("consensus")(&e))?;
        }
        Ok(())
    }

    /// A group of one.
    pub async fn found(&self) -> Result<(), Error> {
        let members = BTreeMap::from([(self.own_id.as_u64(), Seat { id: self.own_id })]);
        self.raft.initialize(members).await.map_err(|e| internal("founding the group")(&e))
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    pub fn is_leader(&self) -> bool {
        self.raft.is_leader()
    }

    pub fn leader(&self) -> Option<NodeId> {
        self.with_metrics(|metrics| {
            let leader = metrics.current_leader?;
            metrics.membership_config.get_node(&leader).map(|seat| seat.id)
        })
    }

    pub fn seats(&self) -> Seats {
        self.with_metrics(|metrics| {
            let membership = metrics.membership_config.membership();
            let id_of = |number: &u64| membership.get_node(number).map(|seat| seat.id);
            let voters: BTreeSet<NodeId> = membership.voter_ids().filter_map(|number| id_of(&number)).collect();
            let learners = membership.learner_ids().filter_map(|number| id_of(&number)).collect();
            let last = metrics.last_log_index.unwrap_or(0);
            let near = |matched: u64| matched + KEPT_ENTRIES >= last;
            let progress = metrics.replication.iter().flatten();
            let caught_up = progress
                .filter(|(_, at)| at.is_some_and(|id| near(id.index)))
                .filter_map(|(number, _)| id_of(number))
                .collect();
            Seats { voters, learners, joint: membership.get_joint_config().len() > 1, caught_up }
        })
    }

    fn with_metrics<T>(&self, see: impl FnOnce(&RaftMetrics<Types>) -> T) -> T {
        see(&self.raft.metrics().borrow_watched())
    }

    /// Writes if this node leads. The index is that of the log entry.
    pub async fn write(&self, proposal: Proposal) -> Result<(u64, Reply), WriteError> {
        match self.raft.client_write(proposal).await {
            Ok(written) => Ok((written.log_id.index, written.data)),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(to))) => {
                Err(WriteError::NotLeader(to.leader_node.map(|seat| seat.id)))
            }
            Err(RaftError::APIError(other)) => Err(WriteError::Unclear(other.to_string())),
            Err(RaftError::Fatal(_)) => Err(WriteError::Stopped),
        }
    }

    pub async fn add_learners(&self, ids: &BTreeSet<NodeId>) -> Result<(), String> {
        let nodes = ids.iter().map(|id| (id.as_u64(), Seat { id: *id })).collect();
        self.change(ChangeMembers::AddNodes(nodes)).await
    }

    /// Former voters stay as learners. Also ends a change that was begun and not finished.
    pub async fn set_voters(&self, ids: &BTreeSet<NodeId>) -> Result<(), String> {
        self.change(ChangeMembers::ReplaceAllVoters(ids.iter().map(NodeId::as_u64).collect())).await
    }

    pub async fn drop_learners(&self, ids: &BTreeSet<NodeId>) -> Result<(), String> {
        self.change(ChangeMembers::RemoveNodes(ids.iter().map(NodeId::as_u64).collect())).await
    }

    async fn change(&self, change: ChangeMembers<u64, Seat>) -> Result<(), String> {
        self.raft.change_membership(change, true).await.map(|_| ()).map_err(|e| e.to_string())
    }

    /// Hands leadership on, if this node has it and there is somebody to have it.
    pub async fn step_aside(&self, to: NodeId, within: Duration) {
        if self.raft.trigger().transfer_leader(to.as_u64()).await.is_ok() {
            let moved = |metrics: &RaftMetrics<Types>| {
                metrics.current_leader.is_some_and(|leader| leader != self.own_id.as_u64())
            };
            // Too late is no harm: the others elect then.
            let _ = self.raft.wait(Some(within)).metrics(moved, "leadership is handed on").await;
        }
    }

    pub async fn shutdown(&self) {
        if let Err(why) = self.raft.shutdown().await {
            tracing::warn!(%why, "the consensus group did not stop in order");
        }
    }
}

fn config() -> Result<openraft::Config, Error> {
    let config = openraft::Config {
        cluster_name: "ringway".into(),
        heartbeat_interval: HEARTBEAT_MS,
        election_timeout_min: ELECTION_MS.0,
        election_timeout_max: ELECTION_MS.1,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY),
        max_in_snapshot_log_to_keep: KEPT_ENTRIES,
        replication_lag_threshold: LAG_MAX,
        max_payload_entries: PAYLOAD_ENTRIES_MAX,
        install_snapshot_timeout: 30_000,
        enable_pre_vote: Some(true),
        // A follower may come back with an older log (a restored disk, a copied directory): else its leader would panic.
        allow_log_reversion: Some(true),
        backoff: "100ms 200ms ...1s".into(),
        ..openraft::Config::default()
    };
    config.validate().map_err(|e| internal("consensus settings")(&e))
}
