//! Driver: the catalog as the consensus library's state machine. Applies what is agreed and publishes the result.
//!
//! Kept in memory; on disk are its snapshots and the log since. So that a command which was proposed twice is done once, the last
//! [`REMEMBERED`] proposals are remembered with their replies, as a part of the state: the same on every node.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use ringway_catalog::Catalog;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::log_store::Disk;
use super::types::{Entry, LogId, Proposal, Reply, Snapshot, SnapshotMeta, StoredMembership, Types};

/// More than can be proposed again by somebody who still waits.
const REMEMBERED: usize = 1024;

/// What the log so far amounts to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Agreed {
    applied: Option<LogId>,
    membership: StoredMembership,
    catalog: Catalog,
    remembered: VecDeque<(u64, Reply)>,
}

impl Agreed {
    fn apply(&mut self, entry: Entry) -> Reply {
        self.applied = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Reply::done(),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
                Reply::done()
            }
            EntryPayload::Normal(proposal) => self.apply_once(proposal),
        }
    }

    fn apply_once(&mut self, proposal: Proposal) -> Reply {
        if let Some((_, reply)) = self.remembered.iter().rev().find(|(number, _)| *number == proposal.number) {
            return reply.clone();
        }
        let reply = Reply(self.catalog.apply(proposal.stamped));
        self.remembered.push_back((proposal.number, reply.clone()));
        if self.remembered.len() > REMEMBERED {
            self.remembered.pop_front();
        }
        reply
    }

    fn to_snapshot(&self) -> io::Result<Snapshot> {
        let meta = SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() };
        let bytes = serde_json::to_vec(self).map_err(io::Error::other)?;
        Ok(Snapshot { meta, snapshot: Bytes::from(bytes) })
    }
}

/// Sees what is agreed, as this node has it.
#[derive(Clone, Debug)]
pub struct View {
    pub catalog: watch::Receiver<Arc<Catalog>>,
    /// Index of the last entry that is in the catalog.
    pub applied: watch::Receiver<u64>,
}

#[derive(Debug)]
pub struct StateMachine {
    agreed: Agreed,
    disk: Disk,
    catalog: watch::Sender<Arc<Catalog>>,
    applied: watch::Sender<u64>,
}

impl StateMachine {
    pub fn new(disk: Disk) -> (Self, View) {
        let (catalog, see_catalog) = watch::channel(Arc::default());
        let (applied, see_applied) = watch::channel(0);
        (
            Self { agreed: Agreed::default(), disk, catalog, applied },
            View { catalog: see_catalog, applied: see_applied },
        )
    }

    /// The catalog first: who waits for an index finds it there.
    fn publish(&self) {
        if self.catalog.borrow().revision != self.agreed.catalog.revision {
            metrics::gauge!("ringway_cluster_catalog_revision").set(self.agreed.catalog.revision as f64);
            self.catalog.send_replace(Arc::new(self.agreed.catalog.clone()));
        }
        self.applied.send_replace(self.agreed.applied.map_or(0, |id| id.index));
    }
}

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotData = Bytes;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.agreed.applied, self.agreed.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut replies = Vec::new();
        while let Some((entry, responder)) = entries.try_next().await? {
            let reply = self.agreed.apply(entry);
            replies.extend(responder.map(|responder| (responder, reply)));
        }
        self.publish();
        for (responder, reply) in replies {
            responder.send(reply);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder { agreed: self.agreed.clone(), disk: self.disk.clone() }
    }

    async fn install_snapshot(&mut self, _meta: &SnapshotMeta, snapshot: Bytes) -> Result<(), io::Error> {
        let agreed: Agreed = serde_json::from_slice(&snapshot).map_err(io::Error::other)?;
        self.disk.save_snapshot(&agreed.to_snapshot()?).await?;
        self.agreed = agreed;
        self.publish();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.disk.load_snapshot().await
    }
}

/// Works on a copy, so that applying goes on meanwhile.
#[derive(Debug)]
pub struct SnapshotBuilder {
    agreed: Agreed,
    disk: Disk,
}

impl RaftSnapshotBuilder<Types> for SnapshotBuilder {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let snapshot = self.agreed.to_snapshot()?;
        self.disk.save_snapshot(&snapshot).await?;
        Ok(snapshot)
    }
}
