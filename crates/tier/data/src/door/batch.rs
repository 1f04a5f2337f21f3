//! Driver: the commands of one read. Those on keys are collected and run together; one that is about more than keys comes after
//! all before it and before all behind it.

use std::sync::Arc;

use ringway_protocol::resp::{Reply, Request, RespVersion};

use crate::DataTier;
use crate::door::command::{self, Gather, Plan, Whole};
use crate::door::session::{self, Session};
use crate::glob;
use crate::op::Op;

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

/// One reply for each command, in the protocol version that was chosen when it came.
pub(super) async fn run(
    tier: &Arc<DataTier>,
    session: &mut Session,
    requests: Vec<Request>,
) -> Vec<(RespVersion, Reply)> {
    let mut replies = Vec::with_capacity(requests.len());
    let mut pending = Pending::default();
    for request in requests {
        match session::plan(session, &request.args) {
            Plan::Reply(reply) => pending.answers.push(Answer::Ready(reply)),
            Plan::Keyed(op) => {
                pending.ops.push(op);
                pending.answers.push(Answer::Of(1, Gather::Only));
            }
            Plan::Gathered(ops, gather) => {
                pending.answers.push(Answer::Of(ops.len(), gather));
                pending.ops.extend(ops);
            }
            Plan::Session(kind) => {
                settle(tier, session, &mut pending, &mut replies).await;
                let reply = session::run(tier, session, kind, &request.args).await;
                replies.push((session.version(), reply));
                if session.is_closing() {
                    return replies;
                }
            }
            Plan::Whole(whole) => {
                settle(tier, session, &mut pending, &mut replies).await;
                let reply = run_whole(tier, session, whole).await;
                replies.push((session.version(), reply));
            }
        }
    }
    settle(tier, session, &mut pending, &mut replies).await;
    replies
}

async fn settle(
    tier: &Arc<DataTier>,
    session: &Session,
    pending: &mut Pending,
    replies: &mut Vec<(RespVersion, Reply)>,
) {
    let Pending { ops, answers } = std::mem::take(pending);
    let mut done = match session.bucket() {
        Some(bucket) if !ops.is_empty() => tier.run_ops(bucket, ops).await,
        _ => Vec::new(),
    }
    .into_iter();
    for answer in answers {
        let reply = match answer {
            Answer::Ready(reply) => reply,
            Answer::Of(len, gather) => command::gather(gather, done.by_ref().take(len)),
        };
        replies.push((session.version(), reply));
    }
}

async fn run_whole(tier: &Arc<DataTier>, session: &Session, whole: Whole) -> Reply {
    let Some(bucket) = session.bucket() else { return session::NOAUTH };
    let result = match whole {
        Whole::Scan { cursor, pattern, count, kind_matches } => {
            tier.scan(bucket, cursor, count).await.map(|(keys, next)| {
                let wanted = |key: &&bytes::Bytes| {
                    kind_matches && pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, key))
                };
                let keys = keys.iter().filter(wanted).map(|key| Reply::Bulk(key.clone())).collect();
                Reply::Array(vec![Reply::text(next.to_string()), Reply::Array(keys)])
            })
        }
        Whole::Keys(pattern) => {
            let keys = tier.all_keys(bucket, |key| glob::matches(&pattern, key)).await;
            keys.map(|keys| Reply::Array(keys.into_iter().map(Reply::Bulk).collect()))
        }
        Whole::KeyCount => tier.key_count(bucket).await.map(|count| Reply::Int(count as i64)),
        Whole::Flush => tier.flush(bucket).await.map(|()| Reply::OK),
    };
    result.unwrap_or_else(|error| error.reply())
}
