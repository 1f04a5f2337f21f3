//! Core: what goes to the other replicas and into the log when a key has changed.

use ringway_causality::Version;

use crate::code::Reader;
use crate::{Change, Damaged, Delta, State};

#[derive(Clone, Debug)]
pub enum Update {
    /// All of it.
    State(State),
    /// What one command has changed.
    Delta(Delta),
}

const STATE: u8 = 0;
const DELTA: u8 = 1;

impl Update {
    /// The greatest version in it.
    pub fn latest(&self) -> Version {
        match self {
            Update::State(state) => state.latest(),
            Update::Delta(delta) => delta.at,
        }
    }

    /// About how many bytes it has when it is encoded.
    pub fn encoded_len(&self) -> usize {
        match self {
            Update::State(state) => state.heap_bytes(),
            Update::Delta(delta) => delta.changes.iter().map(Change::len).sum(),
        }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Update::State(state) => {
                out.push(STATE);
                state.encode(out);
            }
            Update::Delta(delta) => {
                out.push(DELTA);
                delta.encode(out);
            }
        }
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader::new(bytes);
        match reader.byte()? {
            STATE => State::decode(reader.rest()).map(Update::State),
            DELTA => Delta::decode(reader.rest()).map(Update::Delta),
            _ => Err(Damaged("sort of update")),
        }
    }
}
