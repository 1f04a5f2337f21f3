//! Core: runs units on the local store, each under the lock of its partition. The clock is handed in.

use bytes::Bytes;
use ringway_protocol::resp::{Out, RespVersion};
use ringway_ring::Partition;

use crate::call::{Args, Call, Keys, Scene, Written};
use crate::command::{self, Run, Spec};
use crate::fail::{Fail, Ran};
use crate::memcache;
use crate::unit::{Body, Unit, Watched, Words};

/// Where commands that do not belong to one partition do not fit.
const NOT_HERE: Fail = Fail::new("ERR this command cannot be run with others as one");

/// Runs a unit; its reply in the client's version of the protocol.
pub(crate) fn run_unit(scene: &Scene<'_>, written: &mut Written, unit: &Unit, version: RespVersion) -> Bytes {
    let mut out = Out::new(version);
    let Some(partition) = unit.partition() else { return Bytes::from_static(b"-ERR no such partition\r\n") };
    let scene = Scene { source: unit.source(), ..*scene };
    let mut keys = Keys::lock(partition, &scene, written);
    match &unit.body {
        Body::One(words) => {
            keys.set_movable();
            run_words(&mut Call { keys: &mut keys, out: &mut out }, words);
        }
        Body::Transaction { watched, commands } => run_transaction(&mut keys, &mut out, watched, commands),
        Body::Watch(watched) => watch(&mut keys, &mut out, watched),
        Body::Memcache { request, .. } => {
            memcache::run_encoded(&mut Call { keys: &mut keys, out: &mut out }, request);
        }
    }
    drop(keys);
    out.into_bytes()
}

/// Runs one command with its partition locked for it alone.
pub(crate) fn run_alone(
    scene: &Scene<'_>,
    written: &mut Written,
    partition: Partition,
    (spec, args): (&Spec, Args<'_>),
    out: &mut Out,
) {
    let mut keys = Keys::lock(partition, scene, written);
    run(&mut Call { keys: &mut keys, out }, spec, args);
}

/// Runs one command; its reply, or what is wrong with it, is written.
pub(crate) fn run(call: &mut Call<'_, '_>, spec: &Spec, args: Args<'_>) {
    let mark = call.out.mark();
    let key = if command::has_one_key(spec) { args.get(1).copied() } else { command::first_key(spec, args) };
    if let Some(key) = key {
        call.keys.begin(key, spec.only_reads(), spec.name);
    }
    if let Err(Fail(text)) = call_function(call, spec, args) {
        call.out.cut_back(mark);
        call.out.error(&text);
    }
}

fn call_function(call: &mut Call<'_, '_>, spec: &Spec, args: Args<'_>) -> Ran {
    match spec.run {
        Run::Plain(function) => function(call.out, args),
        Run::Keyed(function) | Run::Split(_, function) | Run::Blocking(_, function) => function(call, args),
        Run::Whole(_) | Run::Session(_) => Err(NOT_HERE),
    }
}

fn run_words(call: &mut Call<'_, '_>, words: &Words) {
    let slices = words.as_slices();
    match Spec::of(&slices) {
        Ok(spec) => run(call, spec, &slices),
        Err(Fail(text)) => call.out.error(&text),
    }
}

fn run_transaction(keys: &mut Keys<'_>, out: &mut Out, watched: &[Watched], commands: &[Words]) {
    for Watched { key, fingerprint } in watched {
        match keys.fingerprint(key) {
            Ok(now) if now == *fingerprint => {}
            Ok(_) => return out.null_array(),
            Err(Fail(text)) => return out.error(&text),
        }
    }
    out.array(commands.len());
    for words in commands {
        run_words(&mut Call { keys, out }, words);
    }
}

fn watch(keys: &mut Keys<'_>, out: &mut Out, watched: &[Bytes]) {
    let mark = out.mark();
    out.array(watched.len());
    for key in watched {
        match keys.fingerprint(key) {
            Ok(fingerprint) => out.int(fingerprint as i64),
            Err(Fail(text)) => {
                out.cut_back(mark);
                return out.error(&text);
            }
        }
    }
}
