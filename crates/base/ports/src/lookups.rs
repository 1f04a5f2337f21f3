//! Port: walking a lookup over the real network, hop by hop, by each of the four routers.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use ringway_ring::{NodeId, Point, Via};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Whose knowledge a step may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Walk {
    /// All that the asked node's virtual nodes know together.
    #[default]
    Node,
    /// Only what the virtual node knows that the walk has come to: the textbook's walk.
    Virtual,
}

#[derive(Clone, Debug)]
pub struct LookupWish {
    pub key: Bytes,
    /// The directory is kept by bucket; the other routers need none.
    pub bucket: Option<String>,
    pub via: Via,
    pub walk: Walk,
    /// Where it begins.
    pub from: NodeId,
}

/// One node (or virtual node) on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub node: NodeId,
    /// The virtual node that the walk has come to, where it is one.
    pub at: Option<Point>,
    /// There and back; zero if no message was needed: it was asked of the node that walks, or the node was asked before.
    pub round_trip: Duration,
    pub is_local: bool,
    /// How many entries the answer was chosen from.
    pub entries: u64,
    /// What it knew, for people.
    pub knew: String,
    /// Why there was no answer.
    pub failure: Option<String>,
}

/// A walk from its start to the node that says that it owns the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walked {
    pub via: Via,
    pub stops: Vec<Stop>,
    /// Who said so; None if the walk did not end.
    pub owner: Option<NodeId>,
    /// Messages from node to node that were needed.
    pub hops: u32,
    /// Steps of the walk, those within a node included.
    pub steps: u32,
    pub took: Duration,
    /// Why it did not end.
    pub failure: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LookupError {
    #[error("there is no bucket {0}")]
    NoBucket(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Unavailable(String),
}

pub trait Lookups: Send + Sync {
    /// Walks to the owner of a key. A walk that fails on the way is a [`Walked`] that says where.
    fn walk(&self, wish: LookupWish) -> BoxFuture<'static, Result<Walked, LookupError>>;
}
