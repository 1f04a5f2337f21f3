//! Core: what cache tiers say to one another, in postcard. Both ends are of the same cluster and authenticated.

use bytes::Bytes;
use ringway_ports::Purge;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::purge_log::Position;

/// To [`ringway_ports::Service::Cache`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Forget this. The second time it comes with its number: who has heard of that has nothing of it left.
    Forget { purge: Purge, at: Option<Position> },
    /// Forget these addresses (host and target): the app has changed something there.
    Changed(Vec<(String, String)>),
    /// What have you purged since?
    Since(Option<Position>),
    /// So many purges have begun here: have you heard of all?
    Said(Position),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// So many responses.
    Forgot(u64),
    /// Nothing if it is more than is kept: forget all.
    Purges {
        purges: Option<Vec<Purge>>,
        at: Position,
    },
    Heard,
}

pub(crate) fn encode<T: Serialize>(message: &T) -> Bytes {
    postcard::to_stdvec(message).map(Bytes::from).expect("messages are plain data, which postcard always takes")
}

pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(body).map_err(|error| Error::Message(error.to_string()))
}
