//! Core: what the rings of two machines say to each other, in postcard. Both are authenticated members of one cluster.

use bytes::Bytes;
use ringway_ring::chord::{KeyArc, Message};
use ringway_ring::{NodeId, Point};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One message from a place of the sending machine to one of the receiving: which machines these are, the transport knows. So
/// nobody can speak for another's virtual node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub from: Point,
    pub to: Point,
    pub message: Message,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packet {
    /// Maintenance, without an answer at this level.
    Messages(Vec<Envelope>),
    /// "These are my places in the ring." Without an answer.
    Places(Vec<Point>),
    Ask(Question),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// Which places in the ring have you?
    Places,
    /// Do you answer for this key, and who else holds it?
    Holders { key: Point },
    /// Who answers for this key? Asked by nodes that are in no ring (any more).
    Find { key: Point },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Places(Vec<Point>),
    /// The owner first.
    Holders {
        arc: KeyArc,
        nodes: Vec<NodeId>,
    },
    /// Not mine, or nobody was found.
    Nobody,
}

pub fn encode(packet: &impl Serialize) -> Bytes {
    postcard::to_allocvec(packet).map(Bytes::from).expect("packets are plain data, which postcard always takes")
}

pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    postcard::from_bytes(body)
        .map_err(|why| format!("ring message is not understood ({why}): same version everywhere?"))
}
