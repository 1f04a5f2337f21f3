//! Core: commands that have commands of their own, and how many words these take, as in Redis 7. (SETINFO, NO-TOUCH and MYSHARDID are
//! of 7.2: libraries say them.)

use super::args::text;
use super::{Spec, takes};
use crate::call::Args;
use crate::fail::{Fail, Ran};

type Parts = &'static [(&'static str, i32)];

const CLIENT: Parts = &[
    ("getname", 2),
    ("id", 2),
    ("info", 2),
    ("list", -2),
    ("no-evict", 3),
    ("no-touch", 3),
    ("setinfo", 4),
    ("setname", 3),
];
const CLUSTER: Parts = &[
    ("addslots", -3),
    ("addslotsrange", -4),
    ("bumpepoch", 2),
    ("countkeysinslot", 3),
    ("delslots", -3),
    ("delslotsrange", -4),
    ("failover", -2),
    ("flushslots", 2),
    ("forget", 3),
    ("getkeysinslot", 4),
    ("info", 2),
    ("keyslot", 3),
    ("links", 2),
    ("meet", -4),
    ("myid", 2),
    ("myshardid", 2),
    ("nodes", 2),
    ("replicas", 3),
    ("replicate", 3),
    ("reset", -2),
    ("saveconfig", 2),
    ("set-config-epoch", 3),
    ("setslot", -4),
    ("shards", 2),
    ("slaves", 3),
    ("slots", 2),
];
const COMMAND: Parts = &[("count", 2), ("docs", -2), ("getkeys", -3), ("info", -2), ("list", -2)];
const CONFIG: Parts = &[("get", -3), ("resetstat", 2), ("set", -4)];
const PUBSUB: Parts = &[("channels", -2), ("numpat", 2), ("numsub", -2), ("shardchannels", -2), ("shardnumsub", -2)];
const SCRIPT: Parts = &[("debug", 3), ("exists", -3), ("flush", -2), ("kill", 2), ("load", 3)];

fn parts_of(spec: &Spec) -> Option<Parts> {
    Some(match spec.name {
        "client" => CLIENT,
        "cluster" => CLUSTER,
        "command" => COMMAND,
        "config" => CONFIG,
        "pubsub" => PUBSUB,
        "script" => SCRIPT,
        _ => return None,
    })
}

fn part(parts: Parts, word: &[u8]) -> Option<(&'static str, i32)> {
    parts.iter().copied().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether its second word is none of its own commands.
pub(crate) fn lacks_part(spec: &Spec, args: Args<'_>) -> bool {
    let (Some(parts), Some(word)) = (parts_of(spec), args.get(1)) else { return false };
    part(parts, word).is_none()
}

pub(super) fn check(spec: &Spec, args: Args<'_>) -> Ran {
    // Nearly all commands have one word for all.
    if !matches!(spec.run, super::Run::Session(_)) {
        return Ok(());
    }
    let (Some(parts), Some(word)) = (parts_of(spec), args.get(1)) else { return Ok(()) };
    match part(parts, word) {
        Some((_, arity)) if takes(arity, args.len()) => Ok(()),
        Some((name, _)) => Err(Fail::wrong_count(&format!("{}|{name}", spec.name))),
        None => {
            let quoted = text(&word[..word.len().min(super::QUOTED_LEN_MAX)]);
            Err(Fail::of(format!("ERR unknown subcommand '{quoted}'. Try {} HELP.", spec.name.to_uppercase())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_word_that_is_wrong_is_said() {
        let said = |words: &[&str]| {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            Spec::of(&words).err().map(|fail| fail.0.into_owned())
        };
        assert_eq!(said(&["client", "ID"]), None);
        assert_eq!(said(&["COMMAND"]), None);
        assert_eq!(
            said(&["Client", "ID", "x"]).as_deref(),
            Some("ERR wrong number of arguments for 'client|id' command")
        );
        assert_eq!(said(&["script", "Frob"]).as_deref(), Some("ERR unknown subcommand 'Frob'. Try SCRIPT HELP."));
    }
}
