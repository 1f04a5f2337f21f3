//! Core: what can be asked of the catalog, and what comes of it.

use std::net::SocketAddr;

use ringway_manifest::Manifest;
use ringway_ring::{NodeId, PartitionSet};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Addresses, BlobId, Bucket, BucketChange, BucketName, JoinToken, NodeInfo, RingKind, Secret};

/// A command with the time at which it was proposed: `apply` has no clock of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    pub now_ms: u64,
    pub command: Command,
}

/// One change. Each is checked in `apply`, where all earlier ones are known, and refused whole or done whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// The first node makes the cluster.
    Found {
        cluster_id: String,
        node: NodeInfo,
        #[serde(default)]
        ring: RingKind,
    },
    IssueToken(JoinToken),
    /// Uses up the token and takes the node in, in one step.
    Join {
        token_id: String,
        token_secret: Secret,
        node: NodeInfo,
    },
    /// A node starts again with other addresses.
    SetAddresses {
        node: NodeId,
        addresses: Addresses,
    },
    Leave {
        node: NodeId,
    },
    /// Takes a node out at once: one that has left, or one that is never coming back.
    Remove {
        node: NodeId,
    },
    /// It has been down for long: what it holds gets copies elsewhere. It stays a member.
    GiveUp {
        node: NodeId,
    },
    /// It was given up and is there again.
    TakeBack {
        node: NodeId,
    },
    /// `node` has what it is to get of these partitions, as they were in `epoch` or later, and has had every write since.
    Synced {
        node: NodeId,
        epoch: u64,
        /// `None` for all it is to get, as the first release said it.
        #[serde(default)]
        partitions: Option<PartitionSet>,
    },
    /// `node` has started again: what it said of partitions that are still moving counts no more.
    Unsync {
        node: NodeId,
    },
    /// Everything stays where it answers now.
    CancelMoves,
    /// Evens the ring out, as after a cancelled change.
    Rebalance,
    /// Settings of the ring; what is `None` stays.
    Configure {
        #[serde(default)]
        replace_after_ms: Option<u64>,
        #[serde(default)]
        transfer_rate: Option<u64>,
    },
    PutBucket(Bucket),
    /// Other settings for a bucket that is there. Not a `PutBucket`, which would bring one back that was deleted meanwhile.
    ChangeBucket {
        name: BucketName,
        change: BucketChange,
    },
    DeleteBucket {
        name: BucketName,
    },
    /// `bucket_tokens`: fresh tokens for the manifest's buckets, by their name in the manifest; those of existing ones are kept.
    Deploy {
        manifest: Manifest,
        files: BlobId,
        files_len: u64,
        bucket_tokens: Vec<(String, Secret)>,
    },
    /// To the release with that number, or to the one before the current.
    Rollback {
        app: String,
        to: Option<u64>,
    },
    /// Takes the app and its buckets away.
    RemoveApp {
        app: String,
    },
}

/// What an applied command did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// Release number.
    Released {
        app: String,
        release: u64,
    },
    /// Layout epoch.
    LayoutChanged {
        epoch: u64,
    },
}

/// Why a command was not done. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    #[error("the cluster exists already")]
    Founded,
    #[error("the token is not one of this cluster's: make a new one with `ringway token`")]
    TokenUnknown,
    #[error("the token was used by node {by}; each admits one node: make a new one with `ringway token`")]
    TokenUsed { by: String },
    #[error("the token expired {minutes_ago} minutes ago: make a new one with `ringway token`")]
    TokenExpired { minutes_ago: u64 },
    #[error("there is a node named {name} already: give this one another with --name")]
    NameTaken { name: String },
    #[error("node {by} listens on {address} already: start this one with other addresses")]
    AddressTaken { address: SocketAddr, by: String },
    #[error("there is no node {id}")]
    NoNode { id: String },
    #[error("nothing is moving: the ring is settled in epoch {epoch}")]
    Settled { epoch: u64 },
    #[error(
        "node {id} speaks of epoch {epoch}, the ring is in epoch {now}: what it has fetched may lack writes, it has to compare again"
    )]
    Outdated { id: String, epoch: u64, now: u64 },
    #[error("what node {id} holds can be copied nowhere else: that takes {least} active nodes")]
    NoneToReplace { id: String, least: usize },
    #[error("{what} of {value} {unit} is out of range: from {least} to {most}")]
    OutOfRange { what: String, value: u64, unit: String, least: u64, most: u64 },
    #[error("this is the last node: stop it instead, its data stays on its disk")]
    LastNode,
    #[error("there is no bucket {name}: `ringway bucket ls` shows those there are")]
    NoBucket { name: String },
    #[error(
        "bucket {name} exists and its {what} cannot change from {from} to {to}: delete it first (`ringway kv export` keeps what is in it), or choose another name"
    )]
    BucketFixed {
        name: String,
        /// The first release spoke of storage alone.
        #[serde(default = "storage")]
        what: String,
        from: String,
        to: String,
    },
    #[error("bucket {name}: {why}")]
    BucketInvalid { name: String, why: String },
    #[error(
        "bucket {name} asks for {level}, which a peer-to-peer ring cannot keep: ask for eventual, or found a cluster without --ring chord"
    )]
    RingTooWeak { name: String, level: String },
    #[error("there is no app {app}: `ringway status` shows those there are")]
    NoApp { app: String },
    #[error("app {app} has no release {release}; it has {have}")]
    NoRelease { app: String, release: String, have: String },
    #[error("host {host} belongs to app {app}")]
    HostTaken { host: String, app: String },
    #[error("the change is {bytes} bytes long, more than the limit of {max}")]
    TooLarge { bytes: usize, max: usize },
}

fn storage() -> String {
    "storage".to_owned()
}
