//! Core: commands about the connection and the server. Those that need to know who asks are run by the door's session.

use ringway_protocol::resp::Out;
use ringway_rt::clock::wall_ns;

use super::args::int;
use super::{Group, KeyPlaces, NO_AUTH, NO_SCRIPT, Run, SHORT, SessionKind, Spec, spec};
use crate::call::Args;
use crate::fail::{Fail, Ran};

const C: Group = Group::Connection;
const S: Group = Group::Server;
const NONE: KeyPlaces = KeyPlaces::None;
/// Like most of these: no script may say it.
const N: u16 = NO_SCRIPT;

const fn about(kind: SessionKind) -> Run {
    Run::Session(kind)
}

pub(super) const SPECS: &[Spec] = &[
    spec("asking", 1, 0, NONE, Group::Cluster, "taken and not needed", Run::Plain(ok)),
    spec("auth", -2, N | NO_AUTH, NONE, C, "says who the client is", about(SessionKind::Auth)),
    spec("client", -2, N, NONE, C, "about the connection", about(SessionKind::Client)),
    spec("cluster", -2, 0, NONE, Group::Cluster, "about the ring", about(SessionKind::Cluster)),
    spec("command", -1, 0, NONE, S, "about the commands", about(SessionKind::Command)),
    spec("config", -2, N, NONE, S, "what clients ask for", about(SessionKind::Config)),
    spec("echo", 2, 0, NONE, C, "says the same", Run::Plain(echo)),
    spec("hello", -1, N | NO_AUTH, NONE, C, "which protocol, and who", about(SessionKind::Hello)),
    spec("info", -1, 0, NONE, S, "figures of node and bucket", about(SessionKind::Info)),
    spec("ping", -1, 0, NONE, C, "is anybody there?", Run::Plain(ping)),
    spec("quit", -1, N | NO_AUTH, NONE, C, "ends the connection", about(SessionKind::Quit)),
    spec("readonly", 1, 0, NONE, Group::Cluster, "replicas may answer", about(SessionKind::ReadOnly(true))),
    spec("readwrite", 1, 0, NONE, Group::Cluster, "replicas may not", about(SessionKind::ReadOnly(false))),
    spec("reset", 1, N | NO_AUTH, NONE, C, "as if it had just connected", about(SessionKind::Reset)),
    spec("select", 2, 0, NONE, C, "0 is the only one", about(SessionKind::Select)),
    spec("time", 1, SHORT, NONE, S, "the node's clock", Run::Plain(time)),
    spec("wait", 3, N, NONE, Group::Generic, "how many replicas have the writes", about(SessionKind::Wait)),
];

/// SELECT, of which there is 0.
pub(crate) fn select(word: &[u8]) -> Ran {
    match i32::try_from(int(word)?) {
        Ok(0) => Ok(()),
        Ok(_) => Err(Fail::new("ERR DB index is out of range")),
        Err(_) => Err(Fail::new("ERR value is out of range, value must between -2147483648 and 2147483647")),
    }
}

fn ok(out: &mut Out, _: Args<'_>) -> Ran {
    out.ok();
    Ok(())
}

fn echo(out: &mut Out, args: Args<'_>) -> Ran {
    out.bulk(args[1]);
    Ok(())
}

fn ping(out: &mut Out, args: Args<'_>) -> Ran {
    match args {
        [_] => out.simple("PONG"),
        [_, text] => out.bulk(text),
        _ => return Err(Fail::wrong_count("ping")),
    }
    Ok(())
}

fn time(out: &mut Out, _: Args<'_>) -> Ran {
    let micros = wall_ns() / 1000;
    out.array(2);
    out.bulk((micros / 1_000_000).to_string().as_bytes());
    out.bulk((micros % 1_000_000).to_string().as_bytes());
    Ok(())
}
