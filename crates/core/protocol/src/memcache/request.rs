//! Core: what a client wants. Everything borrows from the bytes it came in.

use super::meta::Meta;
use super::tokens::Tokens;

/// One request. Those with `quiet` get no reply, whatever comes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    Get(Get<'a>),
    Store(Store<'a>),
    Arithmetic(Arithmetic<'a>),
    Delete {
        key: &'a [u8],
        quiet: bool,
    },
    Touch {
        key: &'a [u8],
        expires: i64,
        quiet: bool,
    },
    /// In so many seconds; 0 and less: now.
    FlushAll {
        delay: i64,
        quiet: bool,
    },
    Stats(Tokens<'a>),
    Verbosity {
        quiet: bool,
    },
    Meta(Meta<'a>),
    /// `mn`: to know where the replies of quiet requests end.
    NoOp,
    Version,
    Shutdown,
    Quit,
}

/// `get`, `gets`, `gat` and `gats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Get<'a> {
    pub keys: Keys<'a>,
    pub with_cas: bool,
    /// `gat`: when they are to expire from now on.
    pub expires: Option<i64>,
}

/// Keys of a request; none is too long.
pub type Keys<'a> = Tokens<'a>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    pub verb: Verb,
    pub key: &'a [u8],
    pub flags: u32,
    /// Seconds from now; more than 30 days: since 1970; 0: never; negative: at once.
    pub expires: i64,
    pub data: &'a [u8],
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    /// Only over the item that has this number.
    Cas(u64),
}

/// `incr` and `decr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arithmetic<'a> {
    pub key: &'a [u8],
    pub by: u64,
    pub is_decrement: bool,
    pub quiet: bool,
}
