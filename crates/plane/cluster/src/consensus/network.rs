//! Driver: the consensus group's messages over [`Peers`]: JSON, and snapshots in pieces.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use openraft::error::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use ringway_ports::{PeerError, PeerHandler, Peers, Priority, Service};
use ringway_ring::NodeId;
use ringway_rt::random;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::group::Raft;
use super::types::{Seat, Snapshot, SnapshotMeta, Types, Vote};

/// A snapshot travels in pieces of this size, so that heartbeats get past it.
const PIECE_LEN: usize = 1 << 20;
const PIECE_WITHIN: Duration = Duration::from_secs(5);
/// A catalog that is larger than this has gone wrong.
const SNAPSHOT_MAX: u64 = 512 << 20;

#[derive(Serialize, Deserialize)]
enum Question {
    Append(AppendEntriesRequest<Types>),
    Vote(VoteRequest<Types>),
    PreVote(VoteRequest<Types>),
    TransferLeader(TransferLeaderRequest<Types>),
    /// The bytes follow after the JSON.
    Piece(Box<Piece>),
}

/// Which part of which snapshot.
#[derive(Serialize, Deserialize)]
struct Piece {
    transfer: u64,
    vote: Vote,
    meta: SnapshotMeta,
    offset: u64,
    total: u64,
}

/// `u32` length of the JSON, the JSON, what else there is.
fn encode(question: &Question, rest: &[u8]) -> Bytes {
    let json = serde_json::to_vec(question).expect("plain data always encodes");
    let mut message = BytesMut::with_capacity(4 + json.len() + rest.len());
    message.put_u32(json.len() as u32);
    message.extend_from_slice(&json);
    message.extend_from_slice(rest);
    message.freeze()
}

fn decode(mut message: Bytes) -> Result<(Question, Bytes), String> {
    let len = message.first_chunk::<4>().map(|len| u32::from_be_bytes(*len) as usize).ok_or("too short")?;
    let _ = message.split_to(4);
    if len > message.len() {
        return Err("too short".into());
    }
    let json = message.split_to(len);
    Ok((serde_json::from_slice(&json).map_err(|e| e.to_string())?, message))
}

/// Makes the connections that the library asks for.
#[derive(Clone)]
pub struct Network {
    pub peers: Arc<dyn Peers>,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Connection;

    async fn new_client(&mut self, _target: u64, node: &Seat) -> Connection {
        Connection { to: node.id, peers: self.peers.clone() }
    }
}

pub struct Connection {
    to: NodeId,
    peers: Arc<dyn Peers>,
}

impl Connection {
    async fn ask<A: DeserializeOwned>(&self, question: Question, within: Duration) -> Result<A, RPCError<Types>> {
        self.ask_with(question, &[], within).await
    }

    async fn ask_with<A: DeserializeOwned>(
        &self,
        question: Question,
        rest: &[u8],
        within: Duration,
    ) -> Result<A, RPCError<Types>> {
        let body = encode(&question, rest);
        let answer = self
            .peers
            .call(self.to, Priority::Control, Service::Consensus, body, within)
            .await
            .map_err(to_rpc_error)?;
        serde_json::from_slice(&answer).map_err(|e| RPCError::Network(NetworkError::new(&e)))
    }
}

/// All but time-outs make the library back off, so that a node that is gone does not cost a core.
fn to_rpc_error(error: PeerError) -> RPCError<Types> {
    match error {
        PeerError::TimedOut(..) => RPCError::Network(NetworkError::new(&error)),
        _ => RPCError::Unreachable(Unreachable::new(&error)),
    }
}

impl RaftNetworkV2<Types> for Connection {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        self.ask(Question::Append(rpc), option.soft_ttl()).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ask(Question::Vote(rpc), option.soft_ttl()).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ask(Question::PreVote(rpc), option.soft_ttl()).await
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        self.ask(Question::TransferLeader(rpc), option.soft_ttl()).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let mut cancel = pin!(cancel);
        let (transfer, total) = (random::number(), snapshot.snapshot.len() as u64);
        let mut offset = 0;
        loop {
            let end = (offset + PIECE_LEN).min(snapshot.snapshot.len());
            let piece = Piece { transfer, vote, meta: snapshot.meta.clone(), offset: offset as u64, total };
            let asked = self.ask_with(Question::Piece(Box::new(piece)), &snapshot.snapshot[offset..end], PIECE_WITHIN);
            let answer: Option<SnapshotResponse<Types>> = tokio::select! {
                closed = &mut cancel => return Err(closed.into()),
                answer = asked => answer?,
            };
            match answer {
                Some(response) => return Ok(response),
                None if end == snapshot.snapshot.len() => {
                    return Err(NetworkError::from_string("the last piece was not recognised as the last").into());
                }
                None => offset = end,
            }
        }
    }
}

/// Answers what the others' [`Connection`]s ask.
pub struct Answers {
    raft: Raft,
    /// The snapshot that is coming in. There is one leader, so one is enough; a newer transfer replaces it.
    incoming: Arc<Mutex<Incoming>>,
}

#[derive(Default)]
struct Incoming {
    transfer: u64,
    bytes: BytesMut,
}

impl Answers {
    pub fn new(raft: Raft) -> Self {
        Self { raft, incoming: Arc::default() }
    }
}

impl PeerHandler for Answers {
    fn handle(&self, _from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let (raft, incoming) = (self.raft.clone(), self.incoming.clone());
        async move {
            let (question, rest) = decode(body)?;
            match question {
                Question::Append(rpc) => json(raft.append_entries(rpc).await),
                Question::Vote(rpc) => json(raft.vote(rpc).await),
                Question::PreVote(rpc) => json(raft.pre_vote(rpc).await),
                Question::TransferLeader(rpc) => json(raft.handle_transfer_leader(rpc).await),
                Question::Piece(piece) => match take_piece(&incoming, &piece, &rest).await? {
                    None => json::<Option<SnapshotResponse<Types>>, String>(Ok(None)),
                    Some(bytes) => {
                        let snapshot = Snapshot { meta: piece.meta, snapshot: bytes };
                        json(raft.install_full_snapshot(piece.vote, snapshot).await.map(Some))
                    }
                },
            }
        }
        .boxed()
    }
}

/// The whole snapshot, with its last piece.
async fn take_piece(incoming: &Mutex<Incoming>, piece: &Piece, bytes: &[u8]) -> Result<Option<Bytes>, String> {
    if piece.total > SNAPSHOT_MAX {
        return Err(format!("a snapshot of {} bytes is too large", piece.total));
    }
    let mut incoming = incoming.lock().await;
    if piece.offset == 0 {
        *incoming = Incoming { transfer: piece.transfer, bytes: BytesMut::new() };
    }
    if incoming.transfer != piece.transfer || incoming.bytes.len() as u64 != piece.offset {
        return Err("a piece of another snapshot came in between".into());
    }
    incoming.bytes.extend_from_slice(bytes);
    let whole = incoming.bytes.len() as u64 == piece.total;
    Ok(whole.then(|| std::mem::take(&mut incoming.bytes).freeze()))
}

fn json<A: Serialize, E: std::fmt::Display>(answer: Result<A, E>) -> Result<Bytes, String> {
    let answer = answer.map_err(|e| e.to_string())?;
    serde_json::to_vec(&answer).map(Bytes::from).map_err(|e| e.to_string())
}
