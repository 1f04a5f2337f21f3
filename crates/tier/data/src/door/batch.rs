//! Driver: commands that need more than the short way ([`super::local`]): keys of other nodes, keys in several partitions, commands
//! about more than keys.
//!
//! Those on keys are collected and run together; one that is about more than keys comes after all before it and before all behind
//! it. Replies go out while others are still to be made, so that few are held.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use ringway_protocol::resp::{Out, RespVersion};

use crate::DataTier;
use crate::bucket::Bucket;
use crate::call::Args;
use crate::command::{self, Gather, Run, Spec, Whole, key_positions};
use crate::door::output::Output;
use crate::door::session::Session;
use crate::door::{blocking, gather, pubsub, redirect, scripting, session, transaction, whole};
use crate::fail::{Fail, Ran};
use crate::unit::Unit;
use crate::unit_run::{REPLIES_BYTES_MAX, UnitRun};

/// A command with more units than this runs on its own.
const SHARED_UNITS_MAX: usize = 1024;
const TOO_LONG: Fail =
    Fail::new("ERR the replies of this command are together longer than 64 MiB: ask for fewer keys at once");

/// Commands whose units wait to be run together.
#[derive(Default)]
struct Pending {
    units: Vec<Unit>,
    answers: Vec<Answer>,
}

/// Where the reply of a command comes from.
enum Answer {
    Ready(Bytes),
    One,
    /// That many units.
    Of(usize, Gather),
}

/// What a command comes to.
enum Plan {
    Units(Vec<Unit>, Option<Gather>),
    Ready(Bytes),
    /// It is run on its own: after all before it.
    Alone(&'static Spec),
}

/// Writes one reply for each command, in the protocol version that was chosen when it came. `source` is what their words are parts
/// of, if they may stay there.
pub(super) async fn run(
    tier: &Arc<DataTier>,
    session: &mut Session,
    commands: &[Args<'_>],
    source: Option<&Bytes>,
    output: &mut Output,
) -> io::Result<()> {
    if let Some(bucket) = session.bucket().filter(|bucket| !tier.view().buckets.contains_key(*bucket)) {
        // One on disk is opened when it is first used; what is wrong with it, its commands say.
        let _ = tier.bucket(bucket).await;
    }
    let mut pending = Pending::default();
    for args in commands {
        if session.is_closing() {
            break;
        }
        match plan(tier, session, args, source) {
            Plan::Ready(reply) => pending.answers.push(Answer::Ready(reply)),
            Plan::Units(units, how) => {
                let is_large = units.len() > SHARED_UNITS_MAX;
                if is_large {
                    settle(tier, session, &mut pending, output).await?;
                }
                pending.answers.push(how.map_or(Answer::One, |how| Answer::Of(units.len(), how)));
                pending.units.extend(units);
                if is_large {
                    settle(tier, session, &mut pending, output).await?;
                }
            }
            Plan::Alone(spec) => {
                settle(tier, session, &mut pending, output).await?;
                run_one_alone(tier, session, spec, args, output).await?;
                if session.is_closing() {
                    return Ok(());
                }
            }
        }
    }
    if session.is_cut() {
        // Whatever it has said before is not answered, either.
        return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it speaks HTTP"));
    }
    settle(tier, session, &mut pending, output).await
}

fn plan(tier: &Arc<DataTier>, session: &mut Session, args: Args<'_>, source: Option<&Bytes>) -> Plan {
    let fail = |fail: Fail| Plan::Ready(fail.reply());
    if command::is_of_a_browser(args[0]) {
        tracing::warn!("a client that speaks HTTP was cut off: a web page may try to reach this port");
        session.cut();
        return Plan::Ready(Bytes::new());
    }
    let spec = match Spec::of(args) {
        Ok(spec) => spec,
        Err(wrong) => {
            session.spoil_transaction();
            return fail(wrong);
        }
    };
    if !session.is_authenticated() && !spec.is_open() {
        return fail(Fail::NO_AUTH);
    }
    if session.is_only_listening() {
        if let Some(refused) = pubsub::refusal(spec) {
            return fail(refused);
        }
        if spec.name == "ping" {
            return Plan::Ready(pubsub::pong(args));
        }
    }
    if let Some(reply) = transaction::queue(session, spec, args) {
        return Plan::Ready(reply);
    }
    match spec.run {
        Run::Plain(function) => Plan::Ready(plain(session.version(), function, args)),
        Run::Keyed(_) | Run::Split(..) => keyed(tier, session, spec, args, source).unwrap_or_else(fail),
        Run::Blocking(..) | Run::Whole(_) | Run::Session(_) => Plan::Alone(spec),
    }
}

fn plain(version: RespVersion, function: fn(&mut Out, Args<'_>) -> Ran, args: Args<'_>) -> Bytes {
    let mut out = Out::new(version);
    match function(&mut out, args) {
        Ok(()) => out.into_bytes(),
        Err(fail) => fail.reply(),
    }
}

fn keyed(
    tier: &Arc<DataTier>,
    session: &Session,
    spec: &'static Spec,
    args: Args<'_>,
    source: Option<&Bytes>,
) -> Ran<Plan> {
    let bucket = session.bucket_of(&tier.view())?;
    let places = key_positions(spec, args)?;
    let keys: Vec<&[u8]> = places.iter().map(|at| args[*at]).collect();
    if let Some(reply) = redirected(tier, session, &bucket, spec, &keys) {
        return Ok(Plan::Ready(reply));
    }
    let first = keys.first().copied().unwrap_or_default();
    let is_one = keys.iter().all(|key| bucket.slot_of(key) == bucket.slot_of(first));
    match spec.run {
        _ if is_one => Ok(Plan::Units(vec![Unit::sharing(bucket.partition_of(first), args, source)], None)),
        Run::Split(how, _) => Ok(Plan::Units(split(&bucket, args, &places, source)?, Some(how))),
        _ => Err(Fail::CROSS_SLOT),
    }
}

/// The same command for each key, with what belongs to it.
fn split(bucket: &Bucket, args: Args<'_>, places: &[usize], source: Option<&Bytes>) -> Ran<Vec<Unit>> {
    let step = match places {
        [first, second, ..] => second - first,
        _ => 1,
    };
    if !(args.len() - 1).is_multiple_of(step) {
        return Err(Fail::wrong_count(&crate::command::text(args[0]).to_lowercase()));
    }
    let one = |at: &usize| {
        let words: Vec<&[u8]> = std::iter::once(args[0]).chain(args[*at..*at + step].iter().copied()).collect();
        Unit::sharing(bucket.partition_of(args[*at]), &words, source)
    };
    Ok(places.iter().map(one).collect())
}

/// What a node that forwards nothing says of keys that are not its own.
pub(super) fn redirected(
    tier: &DataTier,
    session: &Session,
    bucket: &Bucket,
    spec: &Spec,
    keys: &[&[u8]],
) -> Option<Bytes> {
    if !tier.config.redis_redirect {
        return None;
    }
    redirect::instead_of_running(&tier.view(), session, bucket, keys, spec.only_reads()).map(|fail| fail.reply())
}

async fn run_one_alone(
    tier: &Arc<DataTier>,
    session: &mut Session,
    spec: &'static Spec,
    args: Args<'_>,
    output: &mut Output,
) -> io::Result<()> {
    match spec.run {
        Run::Whole(function) => {
            let version = session.version();
            let asked = function(args);
            let reply = match asked {
                Ok(asked) => run_whole(tier, session, asked).await,
                Err(fail) => Err(fail),
            };
            output.put_reply(version, reply).await
        }
        Run::Blocking(..) => blocking::run(tier, session, spec, args, output).await,
        _ => {
            // The version may change with this command; its reply is in the new one.
            let reply = session::run(tier, session, spec, args, output).await?;
            match reply {
                Some(reply) => output.put_reply(session.version(), reply).await,
                None => Ok(()),
            }
        }
    }
}

pub(super) async fn run_whole(
    tier: &Arc<DataTier>,
    session: &Session,
    asked: Whole,
) -> Ran<ringway_protocol::resp::Reply> {
    let bucket = session.bucket().ok_or(Fail::NO_AUTH)?;
    whole::run(tier, bucket, asked).await.map_err(Fail::from)
}

async fn settle(tier: &Arc<DataTier>, session: &Session, pending: &mut Pending, output: &mut Output) -> io::Result<()> {
    let Pending { units, answers } = std::mem::take(pending);
    let mut run = UnitRun::new(units, session.version());
    for answer in answers {
        let (len, how) = match answer {
            Answer::Ready(reply) => {
                output.put_raw(reply).await?;
                continue;
            }
            Answer::One => (1, None),
            Answer::Of(len, how) => (len, Some(how)),
        };
        let Some(bucket) = session.bucket() else {
            output.put_raw(Fail::NO_AUTH.reply()).await?;
            continue;
        };
        let first = run.front();
        let reply = collect(tier, bucket, &mut run, len, how, output).await?;
        let units = &run.units()[first..first + len];
        let reply = match len == 1 && scripting::is_unsettled(&reply) {
            true => scripting::settle(tier, bucket, &units[0], session.version(), reply).await,
            false => reply,
        };
        let instead = redirect::instead_of_failing(&tier.view(), session, units, &reply);
        output.put_raw(instead.unwrap_or(reply)).await?;
    }
    Ok(())
}

/// The reply of a command from those of the next `len` units. They are run when nothing is there to go on with; before any but
/// the first time, the client has to take what there is.
async fn collect(
    tier: &Arc<DataTier>,
    bucket: &str,
    run: &mut UnitRun,
    len: usize,
    how: Option<Gather>,
    output: &mut Output,
) -> io::Result<Bytes> {
    let (mut replies, mut bytes) = (Vec::with_capacity(len), 0);
    for left in (1..=len).rev() {
        if !run.is_ready() {
            if run.front() > 0 {
                output.flush().await?;
                output.expect_open()?;
            }
            tier.advance(bucket, run, bytes).await;
            if how == Some(Gather::List) && bytes + run.held_of_next(left) > REPLIES_BYTES_MAX {
                run.skip(left);
                return Ok(TOO_LONG.reply());
            }
        }
        let Some(reply) = run.take() else { break };
        bytes += reply.len();
        if how == Some(Gather::List) && bytes > REPLIES_BYTES_MAX {
            run.skip(left - 1);
            return Ok(TOO_LONG.reply());
        }
        replies.push(reply);
    }
    Ok(match how {
        None => replies.pop().unwrap_or_else(|| Fail::new("ERR no reply").reply()),
        Some(how) => gather::gather(how, &replies),
    })
}
