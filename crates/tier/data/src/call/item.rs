//! Core: strings as memcached sees them: with the client's flags, and a number that tells two writes apart.

use bytes::Bytes;
use ringway_engine::Seen;
use ringway_values::{Register, State, Update};

use super::{Keys, Text};
use crate::fail::Ran;
use crate::memcache::Uses;
use crate::share::{SHARED_LEN_MIN, share_to_keep};

/// A string that is there.
pub(crate) struct Item<'a> {
    pub(crate) text: Text<'a>,
    pub(crate) expires_ms: Option<u64>,
    /// Of the write that made it: the same on all replicas.
    pub(crate) cas: u64,
    pub(crate) marks: Marks,
}

/// What memcached keeps beside a value. A Redis client does not see it, and what it sets has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(pub(crate) u64);

const STALE: u64 = 1 << 32;
const WON: u64 = 1 << 33;

impl<'a> Item<'a> {
    #[inline]
    fn of(seen: Option<Seen<'a>>, now_ms: u64) -> Option<Self> {
        match seen {
            Some(Seen::Register { version, value: Some(value), expires_ms, .. })
                if expires_ms.is_none_or(|at| at > now_ms) =>
            {
                Some(Self { text: Text::from(value), expires_ms, cas: version.time(), marks: Marks::default() })
            }
            Some(Seen::State(state)) if state.is_live(now_ms) => {
                let text = match state {
                    State::Counter(counter) => Some(Text::number(counter.value())),
                    State::Register(register) => register.value.as_ref().map(Text::Shared),
                    State::Collection(_) => None,
                };
                let marks =
                    if let State::Register(register) = state { Marks(register.marks) } else { Marks::default() };
                let (expires_ms, cas) = (state.expires_ms(), state.latest().time());
                text.map(|text| Self { text, expires_ms, cas, marks })
            }
            _ => None,
        }
    }
}

impl Marks {
    pub(crate) fn of_client(flags: u32) -> Self {
        Self(u64::from(flags))
    }

    pub(crate) fn client_flags(self) -> u32 {
        self.0 as u32
    }

    pub(crate) fn is_stale(self) -> bool {
        self.0 & STALE != 0
    }

    /// Whether some client has been told to make the value anew.
    pub(crate) fn is_won(self) -> bool {
        self.0 & WON != 0
    }

    pub(crate) fn won(self) -> Self {
        Self(self.0 | WON)
    }

    /// Stale; whoever has been told to make the value anew still is.
    pub(crate) fn still_stale(self, before: Self) -> Self {
        Self(self.0 | STALE | before.0 & WON)
    }

    /// Nobody has been told yet.
    pub(crate) fn stale(self) -> Self {
        Self((self.0 | STALE) & !WON)
    }
}

impl Keys<'_> {
    /// What memcached counts, of this bucket.
    pub(crate) fn memcache_uses(&self) -> &Uses {
        &self.scene.place.held.figures.memcache
    }

    /// A string; anything else is nothing here.
    pub(crate) fn item(&mut self, key: &[u8]) -> Ran<Option<Item<'_>>> {
        let item = Item::of(self.locked.get(key)?, self.scene.now_ms);
        if self.is_read {
            self.written.hits += u64::from(item.is_some());
            self.written.misses += u64::from(item.is_none());
        }
        Ok(item)
    }

    /// The same once more in one command: it has been counted.
    pub(crate) fn item_again(&mut self, key: &[u8]) -> Ran<Option<Item<'_>>> {
        Ok(Item::of(self.locked.get(key)?, self.scene.now_ms))
    }

    /// Writes a string over whatever is there; the number of the write.
    pub(crate) fn set_item(&mut self, key: &[u8], value: &[u8], expires_ms: Option<u64>, marks: Marks) -> Ran<u64> {
        if marks == Marks::default() {
            self.set(key, value, expires_ms)?;
            return Ok(self.locked.get(key)?.map_or(0, |seen| seen.latest().time()));
        }
        self.admit(key.len() + value.len())?;
        let value = match value.len() {
            SHARED_LEN_MIN.. => share_to_keep(value, self.scene.source),
            _ => Bytes::copy_from_slice(value),
        };
        self.change(key, |state, version| {
            let register = Register { version, value: Some(value), expires_ms, marks: marks.0 };
            *state = State::Register(register.clone());
            (Some(Update::State(State::Register(register))), version.time())
        })
    }
}
