//! Core: what can be asked of the catalog, and what comes of it.

use std::net::SocketAddr;

use ringway_manifest::Manifest;
use ringway_ring::NodeId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Addresses, BlobId, Bucket, BucketName, JoinToken, NodeInfo, Secret};

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
    /// `node` has everything that the layout of `epoch` gives it.
    Synced {
        node: NodeId,
        epoch: u64,
    },
    PutBucket(Bucket),
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
    #[error("the ring is moving data to epoch {epoch}: wait until `ringway ring` says it is settled")]
    Moving { epoch: u64 },
    #[error("this is the last node: stop it instead, its data stays on its disk")]
    LastNode,
    #[error("there is no bucket {name}: `ringway bucket ls` shows those there are")]
    NoBucket { name: String },
    #[error(
        "bucket {name} exists and its storage cannot change from {from} to {to}: delete it first, or choose another name"
    )]
    BucketFixed { name: String, from: String, to: String },
    #[error("there is no app {app}: `ringway status` shows those there are")]
    NoApp { app: String },
    #[error("app {app} has no release {release}; it has {have}")]
    NoRelease { app: String, release: String, have: String },
    #[error("host {host} belongs to app {app}")]
    HostTaken { host: String, app: String },
    #[error("the change is {bytes} bytes long, more than the limit of {max}")]
    TooLarge { bytes: usize, max: usize },
}
