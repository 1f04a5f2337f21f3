//! Core: EVAL and its relatives. What a script does is [`crate::scripting`]'s.

use ringway_script::{Error, Input, Sha};

use super::args::int;
use super::{Group, KeyPlaces, NO_SCRIPT, READ, Run, SessionKind, Spec, WRITE, spec};
use crate::call::{Args, Call};
use crate::fail::{Fail, Ran};
use crate::scripting;

const G: Group = Group::Scripting;
const KEYS: KeyPlaces = KeyPlaces::Counted { at: 2, has_target: false };

pub(super) const SPECS: &[Spec] = &[
    spec("eval", -3, WRITE | NO_SCRIPT, KEYS, G, "runs a Lua script", Run::Keyed(|call, args| eval(call, args, false))),
    spec(
        "eval_ro",
        -3,
        READ | NO_SCRIPT,
        KEYS,
        G,
        "runs a script that only reads",
        Run::Keyed(|call, args| eval(call, args, true)),
    ),
    spec(
        "evalsha",
        -3,
        WRITE | NO_SCRIPT,
        KEYS,
        G,
        "runs a script that is known",
        Run::Keyed(|call, args| evalsha(call, args, false)),
    ),
    spec(
        "evalsha_ro",
        -3,
        READ | NO_SCRIPT,
        KEYS,
        G,
        "runs a known script that only reads",
        Run::Keyed(|call, args| evalsha(call, args, true)),
    ),
    spec(
        "script",
        -2,
        NO_SCRIPT,
        KeyPlaces::None,
        G,
        "keeps scripts and forgets them",
        Run::Session(SessionKind::Script),
    ),
];

/// Keys, then other arguments: the word after the script says how many are keys.
fn input<'a>(args: Args<'a>) -> Ran<Input<'a>> {
    let count = int(args[2])?;
    if count < 0 {
        return Err(Fail::new("ERR Number of keys can't be negative"));
    }
    let words = &args[3..];
    let count = usize::try_from(count).ok().filter(|count| *count <= words.len());
    let (keys, args) =
        words.split_at(count.ok_or(Fail::new("ERR Number of keys can't be greater than number of args"))?);
    Ok(Input { keys, args })
}

fn eval(call: &mut Call<'_, '_>, args: Args<'_>, is_read: bool) -> Ran {
    let input = input(args)?;
    let script = scripting::keep(call.keys.bucket(), args[1])?;
    scripting::run(call, &script, input, is_read)
}

fn evalsha(call: &mut Call<'_, '_>, args: Args<'_>, is_read: bool) -> Ran {
    // Redis looks at the length of the name first.
    let sha = Sha::from_hex(args[1]);
    if args[1].len() != 40 {
        return Err(Error::Unknown.into());
    }
    let input = input(args)?;
    let script = sha.and_then(|sha| call.keys.bucket().held.scripts.get(&sha)).ok_or(Error::Unknown)?;
    scripting::run(call, &script, input, is_read)
}
