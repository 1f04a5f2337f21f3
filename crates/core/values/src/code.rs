//! Core: states and deltas as bytes, for disk and for other nodes.
//!
//! The first byte is the format. Numbers are little-endian groups of seven bits (times as differences to the one before), bytes are
//! preceded by their number, a collection's writes name their node by its place in the context. Whatever is read is checked before it
//! is believed: no length is allocated that the input does not have, and what no writer would write is [`Damaged`].

mod collection;
mod delta;
mod plain;
mod read;
mod write;

use thiserror::Error;

pub(crate) use self::read::Reader;
use crate::State;

const FORMAT: u8 = 1;

const REGISTER: u8 = 0;
const COUNTER: u8 = 1;
const COLLECTION: u8 = 2;

/// The bytes are not what this code writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("damaged value: {0}")]
pub struct Damaged(pub &'static str);

impl State {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        match self {
            State::Register(register) => {
                out.push(REGISTER);
                plain::write_register(register, out);
            }
            State::Counter(counter) => {
                out.push(COUNTER);
                plain::write_counter(counter, out);
            }
            State::Collection(collection) => {
                out.push(COLLECTION);
                collection::write(collection, out);
            }
        }
    }

    /// All of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<State, Damaged> {
        let mut reader = Reader::new(bytes);
        reader.expect_format()?;
        let state = match reader.byte()? {
            REGISTER => State::Register(plain::read_register(&mut reader)?),
            COUNTER => State::Counter(plain::read_counter(&mut reader)?),
            COLLECTION => State::Collection(Box::new(collection::read(&mut reader)?)),
            _ => return Err(Damaged("sort of state")),
        };
        reader.finish()?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
