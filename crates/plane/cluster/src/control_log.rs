//! Driver: proposing changes from any node, wherever the leader is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_catalog::{Catalog, Command, Outcome, Refusal, Stamped};
use ringway_ports::{ControlLog, PeerHandler, Peers, Priority, ProposeError, Service};
use ringway_ring::NodeId;
use ringway_rt::random;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::consensus::Group;
use crate::consensus::group::WriteError;
use crate::consensus::types::{Proposal, Reply};
use crate::swim::Swim;
use crate::wall_clock::WallClock;

const PROPOSE_WITHIN: Duration = Duration::from_secs(5);
/// How long one node is asked before the leader is looked for anew.
const ASK_WITHIN: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);
/// Keeps a log entry well below what fits in a message.
const COMMAND_MAX: usize = 1 << 20;
const VOUCH_WITHIN: Duration = Duration::from_secs(2);
/// Members that are asked about a node that we do not know.
const VOUCHERS_MAX: usize = 3;

/// What nodes ask each other about the catalog. JSON: commands hold manifests, which other formats cannot carry.
#[derive(Serialize, Deserialize)]
enum Question {
    /// Do this, if you lead.
    Write(Box<Proposal>),
    /// Where is this member?
    WhoIs(NodeId),
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Written { index: u64, reply: Reply },
    NotLeader { leader: Option<NodeId> },
    Unclear,
    Known { peer: Option<SocketAddr> },
}

/// Cheap to clone.
#[derive(Clone)]
pub struct RaftControlLog {
    group: Group,
    peers: Arc<dyn Peers>,
    swim: Swim,
    clock: WallClock,
}

impl RaftControlLog {
    pub fn new(group: Group, peers: Arc<dyn Peers>, swim: Swim, clock: WallClock) -> Self {
        let log = Self { group, peers: peers.clone(), swim, clock };
        peers.serve(Service::Propose, Arc::new(log.clone()));
        log
    }

    async fn propose_until(self, command: Command, deadline: Instant) -> Result<Outcome, ProposeError> {
        let stamped = Stamped { now_ms: self.clock.now_ms(), command };
        let proposal = Proposal { number: random::number(), stamped };
        let bytes = serde_json::to_vec(&proposal).map_or(usize::MAX, |json| json.len());
        if bytes > COMMAND_MAX {
            return Err(ProposeError::Refused(Refusal::TooLarge { bytes, max: COMMAND_MAX }));
        }
        let agreed = tokio::time::timeout_at(deadline, async {
            let (index, reply) = self.write_somewhere(&proposal).await?;
            // Whoever proposed a change must see it.
            let mut applied = self.group.view().applied.clone();
            applied.wait_for(|applied| *applied >= index).await.map_err(|_| ProposeError::Stopping)?;
            reply.0.map_err(ProposeError::Refused)
        });
        agreed.await.unwrap_or(Err(ProposeError::NoQuorum(PROPOSE_WITHIN)))
    }

    /// Asks whoever leads, as far as anybody knows, until somebody has done it. Repeating is safe: proposals are numbered.
    async fn write_somewhere(&self, proposal: &Proposal) -> Result<(u64, Reply), ProposeError> {
        let mut hint = None;
        loop {
            let leader = hint.take().or_else(|| self.group.leader());
            let asked = match leader {
                Some(id) => self.write_at(id, proposal).await,
                None => self.write_anywhere(proposal).await,
            };
            match asked {
                Ok(written) => return Ok(written),
                Err(WriteError::Stopped) => return Err(ProposeError::Stopping),
                Err(WriteError::NotLeader(better)) if better != leader => hint = better,
                Err(WriteError::NotLeader(_) | WriteError::Unclear(_)) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn write_at(&self, id: NodeId, proposal: &Proposal) -> Result<(u64, Reply), WriteError> {
        if id == self.peers.own_id() {
            return self.group.write(proposal.clone()).await;
        }
        match self.ask(id, &Question::Write(Box::new(proposal.clone())), ASK_WITHIN).await {
            Ok(Answer::Written { index, reply }) => Ok((index, reply)),
            Ok(Answer::NotLeader { leader }) => Err(WriteError::NotLeader(leader)),
            Ok(Answer::Unclear | Answer::Known { .. }) => Err(WriteError::Unclear("asked in vain".into())),
            Err(why) => Err(WriteError::Unclear(why)),
        }
    }

    /// A node that has just restarted, with another address perhaps, does not hear from the leader: others may.
    async fn write_anywhere(&self, proposal: &Proposal) -> Result<(u64, Reply), WriteError> {
        let mut failure = WriteError::NotLeader(None);
        for id in self.swim.candidates().into_iter().take(VOUCHERS_MAX) {
            match self.write_at(id, proposal).await {
                Ok(written) => return Ok(written),
                Err(WriteError::NotLeader(Some(leader))) => return Err(WriteError::NotLeader(Some(leader))),
                Err(other) => failure = other,
            }
        }
        Err(failure)
    }

    async fn ask(&self, id: NodeId, question: &Question, within: Duration) -> Result<Answer, String> {
        let body = serde_json::to_vec(question).map_err(|e| e.to_string())?;
        let answer = self
            .peers
            .call(id, Priority::Control, Service::Propose, body.into(), within)
            .await
            .map_err(|e| e.to_string())?;
        serde_json::from_slice(&answer).map_err(|e| e.to_string())
    }

    /// Where `id` is, according to members that this node knows. `None` if none of them knows it.
    pub async fn vouch(self, id: NodeId) -> Option<SocketAddr> {
        let ask_all = async {
            for member in self.swim.candidates().into_iter().filter(|member| *member != id).take(VOUCHERS_MAX) {
                if let Ok(Answer::Known { peer: Some(address) }) =
                    self.ask(member, &Question::WhoIs(id), ASK_WITHIN).await
                {
                    return Some(address);
                }
            }
            None
        };
        tokio::time::timeout(VOUCH_WITHIN, ask_all).await.ok().flatten()
    }

    async fn answer(self, question: Question) -> Answer {
        match question {
            Question::WhoIs(id) => {
                Answer::Known { peer: self.catalog().nodes.get(&id).map(|node| node.addresses.peer) }
            }
            Question::Write(proposal) => match tokio::time::timeout(ASK_WITHIN, self.group.write(*proposal)).await {
                Ok(Ok((index, reply))) => Answer::Written { index, reply },
                Ok(Err(WriteError::NotLeader(leader))) => Answer::NotLeader { leader },
                Ok(Err(WriteError::Unclear(_) | WriteError::Stopped)) | Err(_) => Answer::Unclear,
            },
        }
    }
}

impl PeerHandler for RaftControlLog {
    fn handle(&self, _from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let log = self.clone();
        async move {
            let question = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
            serde_json::to_vec(&log.answer(question).await).map(Bytes::from).map_err(|e| e.to_string())
        }
        .boxed()
    }
}

impl ControlLog for RaftControlLog {
    fn catalog(&self) -> Arc<Catalog> {
        self.group.view().catalog.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<Catalog>> {
        self.group.view().catalog.clone()
    }

    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        self.clone().propose_until(command, Instant::now() + PROPOSE_WITHIN).boxed()
    }

    fn leader(&self) -> Option<NodeId> {
        self.group.leader()
    }
}
