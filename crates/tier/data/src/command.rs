//! Core: the commands of the Redis door: one table from which dispatch, the number of words, the places of keys, COMMAND and the page
//! of the documentation are made. Names, checks and texts are those of Redis 7.
//!
//! Each group of commands has a file of its own; what a command does is a function over [`Call`], the keys of one partition.

pub(crate) mod args;
mod connection;
mod counters;
mod expiry;
mod hashes;
mod keys;
mod lists;
mod parts;
mod pubsub;
mod scan;
mod scripting;
mod sets;
mod sort;
mod sorted_sets;
mod strings;
mod told;
mod transactions;
mod typed;

use std::sync::LazyLock;

use ringway_protocol::resp::Out;

pub(crate) use self::args::text;
pub(crate) use self::connection::select;
pub(crate) use self::parts::lacks_part;
pub(crate) use self::scan::{Scan, Whole};
#[cfg(test)]
pub(crate) use self::told::docs;
use crate::call::{Args, Call};
use crate::fail::{Fail, Ran};
use crate::pubsub::Names;

/// How much of unknown commands is quoted back.
const QUOTED_LEN_MAX: usize = 128;
const NAME_LEN_MAX: usize = 32;

/// A command: what clients are told of it, and what it does.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    /// How many words it has, its name included; negative: at least.
    arity: i32,
    group: Group,
    flags: u16,
    keys: KeyPlaces,
    summary: &'static str,
    pub(crate) run: Run,
}

/// What runs it.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Needs neither keys nor who asks.
    Plain(fn(&mut Out, Args<'_>) -> Ran),
    /// Its keys are in one partition: runs where these are.
    Keyed(fn(&mut Call<'_, '_>, Args<'_>) -> Ran),
    /// The same, but keys in several partitions are asked for one by one and the replies become one.
    Split(Gather, fn(&mut Call<'_, '_>, Args<'_>) -> Ran),
    /// Keyed, but if there is nothing (a null reply), it waits until there is. Where its time limit is, from the end if negative.
    Blocking(i32, fn(&mut Call<'_, '_>, Args<'_>) -> Ran),
    /// About the whole bucket.
    Whole(fn(Args<'_>) -> Ran<Whole>),
    /// About the connection or the server.
    Session(SessionKind),
}

/// How the replies of several keys become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gather {
    Sum,
    List,
    Ok,
}

/// About the connection or the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionKind {
    Auth,
    Client,
    Cluster,
    Command,
    Config,
    Discard,
    Exec,
    Hello,
    Info,
    /// Begins or ends to listen.
    Listen {
        names: Names,
        begins: bool,
    },
    Multi,
    PubSub,
    Publish {
        is_sharded: bool,
    },
    Quit,
    /// READONLY, or READWRITE.
    ReadOnly(bool),
    Reset,
    Script,
    Select,
    Unwatch,
    Wait,
    Watch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Connection,
    Generic,
    String,
    List,
    Hash,
    Set,
    SortedSet,
    Transactions,
    Scripting,
    PubSub,
    Server,
    Cluster,
}

/// Which words are keys.
#[derive(Clone, Copy)]
pub(crate) enum KeyPlaces {
    None,
    /// The first word after the name.
    First,
    /// From the first to this one (from the end if negative), each so many words after the one before.
    Range {
        first: usize,
        last: i32,
        step: usize,
    },
    /// That many as the word at this place says, behind it; and the word after the name, if that is another one.
    Counted {
        at: usize,
        has_target: bool,
    },
}

pub(crate) const READ: u16 = 1;
pub(crate) const WRITE: u16 = 1 << 1;
/// Doing it twice leaves the same as doing it once.
pub(crate) const AGAIN: u16 = 1 << 2;
/// A number or a status.
pub(crate) const SHORT: u16 = 1 << 3;
pub(crate) const NO_SCRIPT: u16 = 1 << 4;
/// May be said before the client has said who it is.
pub(crate) const NO_AUTH: u16 = 1 << 5;
/// Not inside of MULTI.
pub(crate) const NO_MULTI: u16 = 1 << 6;

const fn spec(
    name: &'static str,
    arity: i32,
    flags: u16,
    keys: KeyPlaces,
    group: Group,
    summary: &'static str,
    run: Run,
) -> Spec {
    Spec { name, arity, group, flags, keys, summary, run }
}

const ALL: &[&[Spec]] = &[
    connection::SPECS,
    counters::SPECS,
    expiry::SPECS,
    hashes::SPECS,
    keys::SPECS,
    lists::SPECS,
    pubsub::SPECS,
    scan::SPECS,
    scripting::SPECS,
    sets::SPECS,
    sort::SPECS,
    sorted_sets::SPECS,
    strings::SPECS,
    transactions::SPECS,
];

/// All commands there are, by name.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    ALL.iter().copied().flatten()
}

/// Finds a command by its name in any case, with one look.
struct Index {
    slots: Vec<Option<&'static Spec>>,
}

/// A power of two, several times as many as there are commands.
const INDEX_LEN: usize = 2048;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut slots = vec![None; INDEX_LEN];
    for spec in specs() {
        let mut at = slot_of_name(spec.name.as_bytes());
        while slots[at].is_some() {
            at = (at + 1) % INDEX_LEN;
        }
        slots[at] = Some(spec);
    }
    Index { slots }
});

fn slot_of_name(name: &[u8]) -> usize {
    // Setting this bit makes letters small; what it does to other bytes is the same for the same name.
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(byte | 0x20)).wrapping_mul(0x0000_0100_0000_01B3);
    let hash = name.iter().fold(0xCBF2_9CE4_8422_2325, fold);
    (hash ^ (hash >> 32)) as usize % INDEX_LEN
}

impl Spec {
    /// The command of that name, in any case.
    pub(crate) fn named(name: &[u8]) -> Option<&'static Spec> {
        if name.len() > NAME_LEN_MAX {
            return None;
        }
        let mut at = slot_of_name(name);
        loop {
            let spec = INDEX.slots[at]?;
            if spec.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(spec);
            }
            at = (at + 1) % INDEX_LEN;
        }
    }

    /// The command that these words are, if there is one and it takes as many.
    pub(crate) fn of(args: Args<'_>) -> Ran<&'static Spec> {
        let spec = Spec::named(args[0]).ok_or_else(|| unknown(args))?;
        match spec.takes(args.len()) {
            true => parts::check(spec, args).map(|()| spec),
            false => Err(Fail::wrong_count(spec.name)),
        }
    }

    pub(crate) fn run_is(&self, kind: SessionKind) -> bool {
        matches!(self.run, Run::Session(this) if this == kind)
    }

    fn takes(&self, words: usize) -> bool {
        takes(self.arity, words)
    }

    fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Whether it leaves the keys as they are.
    pub(crate) fn only_reads(&self) -> bool {
        self.has(READ)
    }

    pub(crate) fn writes(&self) -> bool {
        self.has(WRITE)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.has(NO_AUTH)
    }

    pub(crate) fn is_barred_from_scripts(&self) -> bool {
        self.has(NO_SCRIPT)
    }

    pub(crate) fn is_barred_from_multi(&self) -> bool {
        self.has(NO_MULTI)
    }

    /// Whether its replies are a number or a status.
    pub(crate) fn replies_shortly(&self) -> bool {
        self.has(SHORT)
    }

    /// Whether doing it twice leaves the same as doing it once.
    pub(crate) fn is_repeatable(&self, args: Args<'_>) -> bool {
        let depends = |word: &&[u8]| {
            [&b"NX"[..], b"XX", b"GT", b"LT", b"GET", b"INCR"].iter().any(|option| word.eq_ignore_ascii_case(option))
        };
        self.only_reads() || self.has(AGAIN) && !args.iter().skip(3).any(depends)
    }
}

/// How many words there are to be; negative: at least.
fn takes(arity: i32, words: usize) -> bool {
    if arity < 0 { words as i64 >= -i64::from(arity) } else { words as i64 == i64::from(arity) }
}

/// The first words of what browsers send: a web page that can make somebody's browser send something to this port must not be able
/// to make it send commands. Redis does the same.
pub(crate) fn is_of_a_browser(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:")
}

/// Where the keys are among a command's words.
pub(crate) fn key_positions(spec: &Spec, args: Args<'_>) -> Ran<Vec<usize>> {
    Ok(match spec.keys {
        KeyPlaces::None => Vec::new(),
        KeyPlaces::First => vec![1],
        KeyPlaces::Range { first, last, step } => {
            let last = if last < 0 { args.len() as i64 + i64::from(last) } else { i64::from(last) };
            (first..=last.max(0) as usize).step_by(step).collect()
        }
        KeyPlaces::Counted { at, has_target } => {
            let count =
                args.get(at).and_then(|word| args::int(word).ok()).and_then(|count| usize::try_from(count).ok());
            let fits = count.filter(|count| at + count < args.len());
            let target = has_target.then_some(1);
            // How many there are is wrong: the command itself says how.
            target.into_iter().chain(fits.into_iter().flat_map(|count| at + 1..=at + count)).collect()
        }
    })
}

/// The first key, if it has one: enough to find the partition of most commands.
pub(crate) fn first_key<'a>(spec: &Spec, args: Args<'a>) -> Option<&'a [u8]> {
    match spec.keys {
        KeyPlaces::None => None,
        KeyPlaces::First => args.get(1).copied(),
        KeyPlaces::Range { first, .. } => args.get(first).copied(),
        KeyPlaces::Counted { .. } => key_positions(spec, args).ok().and_then(|at| args.get(*at.first()?).copied()),
    }
}

/// Whether there is one key at most, at the first place.
pub(crate) fn has_one_key(spec: &Spec) -> bool {
    matches!(spec.keys, KeyPlaces::First)
}

fn unknown(args: Args<'_>) -> Fail {
    let mut quoted = String::new();
    for arg in &args[1..] {
        if quoted.len() >= QUOTED_LEN_MAX {
            break;
        }
        let room = QUOTED_LEN_MAX - quoted.len();
        quoted.push_str(&format!("'{}' ", text(&arg[..arg.len().min(room)])));
    }
    let name = text(&args[0][..args[0].len().min(QUOTED_LEN_MAX)]).into_owned();
    Fail::of(format!("ERR unknown command '{name}', with args beginning with: {quoted}"))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod transcript;
