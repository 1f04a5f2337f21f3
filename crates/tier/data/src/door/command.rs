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
    Reset,
    Select,
    Time,
}

pub(super) type Args<'a> = &'a [Bytes];
type Planned = Result<Plan, Reply>;

/// A command: how many words it has (negative: at least), and its plan.
struct Spec {
    words: i32,
    plan: fn(Args<'_>) -> Planned,
}

/// All commands there are, for COMMAND.
pub(super) const NAMES: &[&str] = &[
    "append",
    "asking",
    "auth",
    "client",
    "cluster",
    "command",
    "config",
    "dbsize",
    "decr",
    "decrby",
    "del",
    "echo",
    "exists",
    "expire",
    "expireat",
    "expiretime",
    "flushall",
    "flushdb",
    "get",
    "getdel",
    "getex",
    "getrange",
    "getset",
    "hello",
    "incr",
    "incrby",
    "info",
    "keys",
    "mget",
    "mset",
    "persist",
    "pexpire",
    "pexpireat",
    "pexpiretime",
    "ping",
    "psetex",
    "pttl",
    "quit",
    "readonly",
    "readwrite",
    "reset",
    "scan",
    "select",
    "set",
    "setex",
    "setnx",
    "setrange",
    "strlen",
    "substr",
    "time",
    "touch",
    "ttl",
    "type",
    "unlink",
];

fn spec_of(name: &[u8]) -> Option<Spec> {
    let (words, plan): (i32, fn(Args<'_>) -> Planned) = match name {
        b"GET" => (2, |args| keyed(args, Action::Get)),
        b"SET" => (-3, keyed::set),
        b"SETEX" => (4, |args| keyed::set_for(args, 1000)),
        b"PSETEX" => (4, |args| keyed::set_for(args, 1)),
        b"SETNX" => (3, keyed::setnx),
        b"GETSET" => (3, keyed::getset),
        b"GETDEL" => (2, |args| keyed(args, Action::GetDel)),
        b"GETEX" => (-2, keyed::getex),
        b"GETRANGE" | b"SUBSTR" => (4, keyed::getrange),
        b"SETRANGE" => (4, keyed::setrange),
        b"APPEND" => (3, keyed::append),
        b"STRLEN" => (2, |args| keyed(args, Action::Strlen)),
        b"TYPE" => (2, |args| keyed(args, Action::Type)),
        b"INCR" => (2, |args| keyed(args, Action::Add(1))),
        b"DECR" => (2, |args| keyed(args, Action::Add(-1))),
        b"INCRBY" => (3, |args| keyed::add(args, false)),
        b"DECRBY" => (3, |args| keyed::add(args, true)),
        b"MGET" => (-2, |args| each_key(args, || Action::Get, Gather::List)),
        b"DEL" | b"UNLINK" => (-2, |args| each_key(args, || Action::Del, Gather::Sum)),
        b"EXISTS" | b"TOUCH" => (-2, |args| each_key(args, || Action::Exists, Gather::Sum)),
        b"MSET" => (-3, keyed::mset),
        b"EXPIRE" => (-3, |args| expiry::expire(args, 1000, true)),
        b"PEXPIRE" => (-3, |args| expiry::expire(args, 1, true)),
        b"EXPIREAT" => (-3, |args| expiry::expire(args, 1000, false)),
        b"PEXPIREAT" => (-3, |args| expiry::expire(args, 1, false)),
        b"PERSIST" => (2, |args| keyed(args, Action::Persist)),
        b"TTL" => (2, |args| keyed(args, Action::Ttl(TtlUnit::Seconds))),
        b"PTTL" => (2, |args| keyed(args, Action::Ttl(TtlUnit::Millis))),
        b"EXPIRETIME" => (2, |args| keyed(args, Action::Ttl(TtlUnit::UnixSeconds))),
        b"PEXPIRETIME" => (2, |args| keyed(args, Action::Ttl(TtlUnit::UnixMillis))),
        b"SCAN" => (-2, scan),
        b"KEYS" => (2, |args| Ok(Plan::Whole(Whole::Keys(args[1].clone())))),
        b"DBSIZE" => (1, |_| Ok(Plan::Whole(Whole::KeyCount))),
        b"FLUSHDB" | b"FLUSHALL" => (-1, |_| Ok(Plan::Whole(Whole::Flush))),
        b"PING" => (-1, ping),
        b"ECHO" => (2, |args| Ok(Plan::Reply(Reply::Bulk(args[1].clone())))),
        b"READONLY" | b"READWRITE" | b"ASKING" => (1, |_| Ok(Plan::Reply(Reply::OK))),
        b"AUTH" => (-2, |_| Ok(Plan::Session(SessionKind::Auth))),
        b"CLIENT" => (-2, |_| Ok(Plan::Session(SessionKind::Client))),
        b"CLUSTER" => (-2, |_| Ok(Plan::Session(SessionKind::Cluster))),
        b"COMMAND" => (-1, |_| Ok(Plan::Session(SessionKind::Command))),
        b"CONFIG" => (-2, |_| Ok(Plan::Session(SessionKind::Config))),
        b"HELLO" => (-1, |_| Ok(Plan::Session(SessionKind::Hello))),
        b"INFO" => (-1, |_| Ok(Plan::Session(SessionKind::Info))),
        b"QUIT" => (-1, |_| Ok(Plan::Session(SessionKind::Quit))),
        b"RESET" => (1, |_| Ok(Plan::Session(SessionKind::Reset))),
        b"SELECT" => (2, |_| Ok(Plan::Session(SessionKind::Select))),
        b"TIME" => (1, |_| Ok(Plan::Session(SessionKind::Time))),
        _ => return None,
    };
    Some(Spec { words, plan })
}

pub(super) fn plan(args: Args<'_>) -> Plan {
    let mut upper = [0; NAME_LEN_MAX];
    let name = args[0].len().min(NAME_LEN_MAX);
    upper[..name].copy_from_slice(&args[0][..name]);
    upper.make_ascii_uppercase();
    let known = if args[0].len() > NAME_LEN_MAX { None } else { spec_of(&upper[..name]) };
    let Some(spec) = known else { return Plan::Reply(unknown(args)) };
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
