//! Core: commands: how many arguments each takes, and what it comes to. Names, checks and texts are those of Redis 7.

mod expiry;
mod keyed;

use bytes::Bytes;
use ringway_protocol::resp::Reply;
use ringway_protocol::resp::request::parse_int;

use crate::op::{Action, KEY_LEN_MAX, Op, TtlUnit};
use crate::scan::SCAN_COUNT_MAX;

pub(super) const SYNTAX: Reply = Reply::error("ERR syntax error");
pub(super) const NOT_AN_INTEGER: Reply = Reply::error("ERR value is not an integer or out of range");
/// How much of unknown commands is quoted back.
const QUOTED_LEN_MAX: usize = 128;
const NAME_LEN_MAX: usize = 16;

/// What a command comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Reply(Reply),
    Keyed(Op),
    Gathered(Vec<Op>, Gather),
    Whole(Whole),
    Session(SessionKind),
}

/// How the replies of several keys become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gather {
    Only,
    Sum,
    List,
    Ok,
}

/// About a whole bucket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Scan { cursor: u64, pattern: Option<Bytes>, count: usize, kind_matches: bool },
    Keys(Bytes),
    KeyCount,
    Flush,
}

/// About the connection or the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionKind {
    Auth,
    Client,
    Cluster,
    Command,
    Config,
    Hello,
    Info,
    Quit,
    /// READONLY, or READWRITE.
    ReadOnly(bool),
    Reset,
    Select,
    Time,
}

pub(super) type Args<'a> = &'a [Bytes];
type Planned = Result<Plan, Reply>;

/// Which words are keys.
#[derive(Clone, Copy)]
enum Keys {
    None,
    First,
    All,
    EverySecond,
}

/// What it does with the keys of the bucket.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
    Neither,
}

/// A command: how many words it has (negative: at least), what clients are told of it, and its plan.
pub(super) struct Spec {
    pub(super) name: &'static str,
    words: i32,
    access: Access,
    keys: Keys,
    plan: fn(Args<'_>) -> Planned,
}

const fn spec(name: &'static str, words: i32, access: Access, keys: Keys, plan: fn(Args<'_>) -> Planned) -> Spec {
    Spec { name, words, access, keys, plan }
}

/// All commands there are, by name.
pub(super) static SPECS: &[Spec] = &[
    spec("append", 3, Access::Write, Keys::First, keyed::append),
    spec("asking", 1, Access::Neither, Keys::None, |_| Ok(Plan::Reply(Reply::OK))),
    spec("auth", -2, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Auth))),
    spec("client", -2, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Client))),
    spec("cluster", -2, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Cluster))),
    spec("command", -1, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Command))),
    spec("config", -2, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Config))),
    spec("dbsize", 1, Access::Read, Keys::None, |_| Ok(Plan::Whole(Whole::KeyCount))),
    spec("decr", 2, Access::Write, Keys::First, |args| keyed(args, Action::Add(-1))),
    spec("decrby", 3, Access::Write, Keys::First, |args| keyed::add(args, true)),
    spec("del", -2, Access::Write, Keys::All, |args| each_key(args, || Action::Del, Gather::Sum)),
    spec("echo", 2, Access::Neither, Keys::None, |args| Ok(Plan::Reply(Reply::Bulk(args[1].clone())))),
    spec("exists", -2, Access::Read, Keys::All, |args| each_key(args, || Action::Exists, Gather::Sum)),
    spec("expire", -3, Access::Write, Keys::First, |args| expiry::expire(args, 1000, true)),
    spec("expireat", -3, Access::Write, Keys::First, |args| expiry::expire(args, 1000, false)),
    spec("expiretime", 2, Access::Read, Keys::First, |args| keyed(args, Action::Ttl(TtlUnit::UnixSeconds))),
    spec("flushall", -1, Access::Write, Keys::None, flush),
    spec("flushdb", -1, Access::Write, Keys::None, flush),
    spec("get", 2, Access::Read, Keys::First, |args| keyed(args, Action::Get)),
    spec("getdel", 2, Access::Write, Keys::First, |args| keyed(args, Action::GetDel)),
    spec("getex", -2, Access::Write, Keys::First, keyed::getex),
    spec("getrange", 4, Access::Read, Keys::First, keyed::getrange),
    spec("getset", 3, Access::Write, Keys::First, keyed::getset),
    spec("hello", -1, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Hello))),
    spec("incr", 2, Access::Write, Keys::First, |args| keyed(args, Action::Add(1))),
    spec("incrby", 3, Access::Write, Keys::First, |args| keyed::add(args, false)),
    spec("info", -1, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Info))),
    spec("keys", 2, Access::Read, Keys::None, |args| Ok(Plan::Whole(Whole::Keys(args[1].clone())))),
    spec("mget", -2, Access::Read, Keys::All, |args| each_key(args, || Action::Get, Gather::List)),
    spec("mset", -3, Access::Write, Keys::EverySecond, keyed::mset),
    spec("persist", 2, Access::Write, Keys::First, |args| keyed(args, Action::Persist)),
    spec("pexpire", -3, Access::Write, Keys::First, |args| expiry::expire(args, 1, true)),
    spec("pexpireat", -3, Access::Write, Keys::First, |args| expiry::expire(args, 1, false)),
    spec("pexpiretime", 2, Access::Read, Keys::First, |args| keyed(args, Action::Ttl(TtlUnit::UnixMillis))),
    spec("ping", -1, Access::Neither, Keys::None, ping),
    spec("psetex", 4, Access::Write, Keys::First, |args| keyed::set_for(args, 1)),
    spec("pttl", 2, Access::Read, Keys::First, |args| keyed(args, Action::Ttl(TtlUnit::Millis))),
    spec("quit", -1, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Quit))),
    spec("readonly", 1, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::ReadOnly(true)))),
    spec("readwrite", 1, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::ReadOnly(false)))),
    spec("reset", 1, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Reset))),
    spec("scan", -2, Access::Read, Keys::None, scan),
    spec("select", 2, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Select))),
    spec("set", -3, Access::Write, Keys::First, keyed::set),
    spec("setex", 4, Access::Write, Keys::First, |args| keyed::set_for(args, 1000)),
    spec("setnx", 3, Access::Write, Keys::First, keyed::setnx),
    spec("setrange", 4, Access::Write, Keys::First, keyed::setrange),
    spec("strlen", 2, Access::Read, Keys::First, |args| keyed(args, Action::Strlen)),
    spec("substr", 4, Access::Read, Keys::First, keyed::getrange),
    spec("time", 1, Access::Neither, Keys::None, |_| Ok(Plan::Session(SessionKind::Time))),
    spec("touch", -2, Access::Read, Keys::All, |args| each_key(args, || Action::Exists, Gather::Sum)),
    spec("ttl", 2, Access::Read, Keys::First, |args| keyed(args, Action::Ttl(TtlUnit::Seconds))),
    spec("type", 2, Access::Read, Keys::First, |args| keyed(args, Action::Type)),
    spec("unlink", -2, Access::Write, Keys::All, |args| each_key(args, || Action::Del, Gather::Sum)),
];

impl Spec {
    /// The command of that name, in any case.
    pub(super) fn named(name: &[u8]) -> Option<&'static Spec> {
        let mut lower = [0; NAME_LEN_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let at = SPECS.binary_search_by(|spec| spec.name.as_bytes().cmp(&*lower)).ok()?;
        Some(&SPECS[at])
    }

    /// Whether it leaves the keys as they are.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self.access, Access::Read)
    }

    /// As COMMAND tells it: name, words, flags, first key, last key, step; no categories, tips, key specifications, subcommands.
    pub(super) fn told(&self) -> Reply {
        let flags = match self.access {
            Access::Read => vec![Reply::Simple("readonly".into())],
            Access::Write => vec![Reply::Simple("write".into())],
            Access::Neither => Vec::new(),
        };
        let (first, last, step) = match self.keys {
            Keys::None => (0, 0, 0),
            Keys::First => (1, 1, 1),
            Keys::All => (1, -1, 1),
            Keys::EverySecond => (1, -1, 2),
        };
        let mut told = vec![Reply::text(self.name), Reply::Int(self.words.into()), Reply::Array(flags)];
        told.extend([first, last, step].map(Reply::Int));
        // redis-py reads the seventh from version 3 clients' replies without asking whether it is there.
        told.extend(std::iter::repeat_n(Reply::Array(Vec::new()), 4));
        Reply::Array(told)
    }
}

pub(super) fn plan(args: Args<'_>) -> Plan {
    let Some(spec) = Spec::named(&args[0]) else { return Plan::Reply(unknown(args)) };
    let fits = if spec.words < 0 { args.len() as i32 >= -spec.words } else { args.len() as i32 == spec.words };
    if !fits {
        return Plan::Reply(wrong_count(&args[0]));
    }
    (spec.plan)(args).unwrap_or_else(Plan::Reply)
}

pub(super) fn gather(gather: Gather, mut replies: impl Iterator<Item = Reply>) -> Reply {
    let mut sum = 0;
    match gather {
        Gather::Only => replies.next().unwrap_or(Reply::error("ERR no reply")),
        // One key that failed makes the whole command fail, with the first key's reason.
        Gather::List => {
            let replies: Vec<Reply> = replies.collect();
            replies.iter().find(|reply| reply.is_error()).cloned().unwrap_or(Reply::Array(replies))
        }
        Gather::Sum | Gather::Ok => {
            for reply in replies {
                match reply {
                    Reply::Error(_) => return reply,
                    Reply::Int(number) => sum += number,
                    _ => {}
                }
            }
            if gather == Gather::Ok { Reply::OK } else { Reply::Int(sum) }
        }
    }
}

pub(super) fn wrong_count(name: &[u8]) -> Reply {
    Reply::Error(format!("ERR wrong number of arguments for '{}' command", text(name).to_lowercase()).into())
}

pub(super) fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn unknown(args: Args<'_>) -> Reply {
    let mut quoted = String::new();
    for arg in &args[1..] {
        if quoted.len() >= QUOTED_LEN_MAX {
            break;
        }
        let room = QUOTED_LEN_MAX - quoted.len();
        quoted.push_str(&format!("'{}' ", text(&arg[..arg.len().min(room)])));
    }
    let name = text(&args[0][..args[0].len().min(QUOTED_LEN_MAX)]).into_owned();
    Reply::Error(format!("ERR unknown command '{name}', with args beginning with: {quoted}").into())
}

/// The key of a command, if it is not too long.
fn key(arg: &Bytes) -> Result<Bytes, Reply> {
    if arg.len() > KEY_LEN_MAX {
        return Err(Reply::error("ERR key is longer than 65000 bytes"));
    }
    Ok(arg.clone())
}

fn keyed(args: Args<'_>, action: Action) -> Planned {
    Ok(Plan::Keyed(Op::new(key(&args[1])?, action)))
}

fn each_key(args: Args<'_>, action: fn() -> Action, gather: Gather) -> Planned {
    let ops: Result<Vec<Op>, Reply> = args[1..].iter().map(|arg| Ok(Op::new(key(arg)?, action()))).collect();
    Ok(Plan::Gathered(ops?, gather))
}

fn ping(args: Args<'_>) -> Planned {
    match args {
        [_] => Ok(Plan::Reply(Reply::Simple("PONG".into()))),
        [_, text] => Ok(Plan::Reply(Reply::Bulk(text.clone()))),
        _ => Err(wrong_count(b"ping")),
    }
}

/// It is done before the answer, whatever was asked for.
fn flush(args: Args<'_>) -> Planned {
    match &args[1..] {
        [] => {}
        [word] if word.eq_ignore_ascii_case(b"ASYNC") || word.eq_ignore_ascii_case(b"SYNC") => {}
        _ => return Err(SYNTAX),
    }
    Ok(Plan::Whole(Whole::Flush))
}

fn scan(args: Args<'_>) -> Planned {
    let invalid = Reply::error("ERR invalid cursor");
    let cursor = text(&args[1]).parse().map_err(|_| invalid)?;
    let (mut pattern, mut count, mut kind_matches) = (None, 10, true);
    let mut words = args[2..].iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or(SYNTAX)?;
        match word.to_ascii_uppercase().as_slice() {
            b"MATCH" => pattern = Some(value.clone()),
            b"TYPE" => kind_matches = value.eq_ignore_ascii_case(b"string"),
            b"COUNT" => {
                let number = parse_int(value).ok_or(NOT_AN_INTEGER)?;
                count = usize::try_from(number).ok().filter(|count| *count > 0).ok_or(SYNTAX)?.min(SCAN_COUNT_MAX);
            }
            _ => return Err(SYNTAX),
        }
    }
    Ok(Plan::Whole(Whole::Scan { cursor, pattern, count, kind_matches }))
}

#[cfg(test)]
mod tests;
