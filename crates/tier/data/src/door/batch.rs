//! Driver: the commands of one read. Those on keys are collected and run together; one that is about more than keys comes after
//! all before it and before all behind it. Replies go out while others are still to be made, so that few are held.

use std::io;
use std::sync::Arc;

use ringway_protocol::resp::{Reply, Request};

use crate::DataTier;
use crate::door::command::{self, Gather, Plan, Spec, Whole};
use crate::door::output::Output;
use crate::door::redirect;
use crate::door::session::{self, Session};
use crate::glob;
use crate::op::Op;
use crate::op_run::{OpRun, REPLIES_BYTES_MAX};

/// A command with more ops than this runs on its own.
const SHARED_OPS_MAX: usize = 1024;
const TOO_LONG: Reply =
    Reply::error("ERR the replies of this command are together longer than 64 MiB: ask for fewer keys at once");

/// Commands whose ops wait to be run together.
#[derive(Default)]
struct Pending {
    ops: Vec<Op>,
    answers: Vec<Answer>,
}

/// Where the reply of a command comes from.
enum Answer {
    Ready(Reply),
    /// That many of the ops.
    Of(usize, Gather),
}

/// Writes one reply for each command, in the protocol version that was chosen when it came.
pub(super) async fn run(
    tier: &Arc<DataTier>,
    session: &mut Session,
    requests: Vec<Request>,
    output: &mut Output,
) -> io::Result<()> {
    let mut pending = Pending::default();
    for request in requests {
        match session::plan(session, &request.args) {
            Plan::Reply(reply) => pending.answers.push(Answer::Ready(reply)),
            Plan::Keyed(op) => match redirected(tier, session, &request, std::slice::from_ref(&op)) {
                Some(reply) => pending.answers.push(Answer::Ready(reply)),
                None => {
                    pending.ops.push(op);
                    pending.answers.push(Answer::Of(1, Gather::Only));
                }
            },
            Plan::Gathered(ops, gather) => {
                if let Some(reply) = redirected(tier, session, &request, &ops) {
                    pending.answers.push(Answer::Ready(reply));
                    continue;
                }
                let is_large = ops.len() > SHARED_OPS_MAX;
                if is_large {
                    settle(tier, session, &mut pending, output).await?;
                }
                pending.answers.push(Answer::Of(ops.len(), gather));
                pending.ops.extend(ops);
                if is_large {
                    settle(tier, session, &mut pending, output).await?;
                }
            }
            Plan::Session(kind) => {
                settle(tier, session, &mut pending, output).await?;
                let reply = session::run(tier, session, kind, &request.args).await;
                output.put(session.version(), reply).await?;
                if session.is_closing() {
                    return Ok(());
                }
            }
            Plan::Whole(whole) => {
                settle(tier, session, &mut pending, output).await?;
                let reply = run_whole(tier, session, whole).await;
                output.put(session.version(), reply).await?;
            }
        }
    }
    settle(tier, session, &mut pending, output).await
}

/// What a node that forwards nothing says of keys that are not its own.
fn redirected(tier: &DataTier, session: &Session, request: &Request, ops: &[Op]) -> Option<Reply> {
    if !tier.config.redis_redirect {
        return None;
    }
    let only_reads = Spec::named(&request.args[0]).is_some_and(Spec::only_reads);
    redirect::instead_of_running(&tier.view(), session, ops, only_reads)
}

async fn settle(tier: &Arc<DataTier>, session: &Session, pending: &mut Pending, output: &mut Output) -> io::Result<()> {
    let Pending { ops, answers } = std::mem::take(pending);
    let mut run = OpRun::new(ops);
    for answer in answers {
        let reply = match (answer, session.bucket()) {
            (Answer::Ready(reply), _) => reply,
            (Answer::Of(len, how), Some(bucket)) => {
                let first = run.front();
                let reply = gather(tier, bucket, &mut run, len, how, output).await?;
                let keys = &run.ops()[first..first + len];
                let instead =
                    reply.is_error().then(|| redirect::instead_of_failing(&tier.view(), session, keys, &reply));
                instead.flatten().unwrap_or(reply)
            }
            (Answer::Of(..), None) => session::NOAUTH,
        };
        output.put(session.version(), reply).await?;
    }
    Ok(())
}

/// The reply of a command from those of the next `len` ops. They are run when nothing is there to go on with; before any but
/// the first time, the client has to take what there is.
async fn gather(
    tier: &Arc<DataTier>,
    bucket: &str,
    run: &mut OpRun,
    len: usize,
    how: Gather,
    output: &mut Output,
) -> io::Result<Reply> {
    let (mut replies, mut bytes) = (Vec::with_capacity(len), 0);
    for left in (1..=len).rev() {
        if !run.is_ready() {
            if run.front() > 0 {
                output.flush().await?;
                output.expect_open()?;
            }
            tier.advance(bucket, run, bytes).await;
            if how == Gather::List && bytes + run.held_of_next(left) > REPLIES_BYTES_MAX {
                run.skip(left);
                return Ok(TOO_LONG);
            }
        }
        let Some(reply) = run.take() else { break };
        bytes += reply.len();
        if how == Gather::List && bytes > REPLIES_BYTES_MAX {
            run.skip(left - 1);
            return Ok(TOO_LONG);
        }
        replies.push(reply);
    }
    Ok(command::gather(how, replies.into_iter()))
}

async fn run_whole(tier: &Arc<DataTier>, session: &Session, whole: Whole) -> Reply {
    let Some(bucket) = session.bucket() else { return session::NOAUTH };
    let scope = session::scope(tier);
    let result = match whole {
        Whole::Scan { cursor, pattern, count, kind_matches } => {
            tier.scan(bucket, cursor, count, scope).await.map(|(keys, next)| {
                let wanted = |key: &&bytes::Bytes| {
                    kind_matches && pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, key))
                };
                let keys = keys.iter().filter(wanted).map(|key| Reply::Bulk(key.clone())).collect();
                Reply::Array(vec![Reply::text(next.to_string()), Reply::Array(keys)])
            })
        }
        Whole::Keys(pattern) => {
            let keys = tier.all_keys(bucket, scope, |key| glob::matches(&pattern, key)).await;
            keys.map(|keys| Reply::Array(keys.into_iter().map(Reply::Bulk).collect()))
        }
        Whole::KeyCount => tier.key_count(bucket, scope).await.map(|count| Reply::Int(count as i64)),
        Whole::Flush => tier.flush(bucket).await.map(|()| Reply::OK),
    };
    result.unwrap_or_else(|error| error.reply())
}
