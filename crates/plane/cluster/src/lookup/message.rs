//! Core: what nodes ask each other on a lookup's way, in postcard.

use bytes::Bytes;
use ringway_ports::{Walk, Walked};
use ringway_ring::{NodeId, Point, Step, Via, VirtualNode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Question {
    /// What do you know of this key?
    Step(StepQuestion),
    /// Walk to the owner of this key yourself, and tell.
    Walk { sought: Sought, via: Via, walk: Walk },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StepQuestion {
    pub(super) sought: Sought,
    pub(super) via: Via,
    pub(super) walk: Walk,
    /// The virtual node that the walk has come to.
    pub(super) at: Point,
}

/// The key, and the bucket for the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sought {
    pub(super) key: Bytes,
    pub(super) bucket: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The first is that of the virtual node that was asked. In a textbook walk more follow, as long as the next is on the same
    /// node: no message is needed for those.
    Steps(Told),
    Walked(Walked),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) steps: Vec<Saw>,
    /// The view was made for this answer: who measures asks again.
    pub(super) is_first: bool,
}

/// What one (virtual) node said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saw {
    pub(super) at: VirtualNode,
    pub(super) step: Step<VirtualNode>,
    pub(super) entries: u64,
    pub(super) knew: String,
}

impl Saw {
    /// Nobody was asked, so nothing was known.
    pub(super) fn nothing(point: Point, node: NodeId, knew: &str) -> Self {
        Self { at: VirtualNode { point, node }, step: Step::Unknown, entries: 0, knew: knew.to_owned() }
    }
}

pub(super) fn encode(message: &impl Serialize) -> Bytes {
    postcard::to_stdvec(message).map(Bytes::from).expect("plain data always encodes")
}

pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    postcard::from_bytes(body)
        .map_err(|error| format!("message is not understood ({error}): do all nodes run the same version?"))
}
