//! Driver: SCRIPT, and scripts that the node of their keys has not heard of: somebody else may have.

use std::sync::Arc;

use bytes::Bytes;
use ringway_protocol::resp::{Reply, RespVersion};
use ringway_script::{Error, Sha};

use crate::DataTier;
use crate::bucket::Bucket;
use crate::call::Args;
use crate::door::session::unknown_subcommand;
use crate::fail::{Fail, Ran};
use crate::fan_out::Tell;
use crate::scripting::{elsewhere, keep, not_local};
use crate::unit::{Body, Unit, Words};

/// A script is run again for lack of its body, and where its keys are.
const AGAIN_MAX: usize = 2;

/// SCRIPT LOAD, EXISTS, FLUSH, KILL.
pub(super) async fn script(tier: &Arc<DataTier>, bucket: &Arc<Bucket>, args: Args<'_>) -> Ran<Reply> {
    let wrong_count = |name: &str| Err(Fail::wrong_count(&format!("script|{name}")));
    match (args[1].to_ascii_uppercase().as_slice(), &args[2..]) {
        (b"LOAD", [body]) => {
            let script = keep(bucket, body)?;
            // Those that do not hear of it ask when they need it.
            tier.tell_others(bucket, Tell::Script(script.body().clone())).await;
            Ok(Reply::text(script.sha().to_string()))
        }
        (b"EXISTS", []) => wrong_count("exists"),
        (b"EXISTS", names) => {
            let mut known = Vec::with_capacity(names.len());
            for name in names {
                let is_known = match Sha::from_hex(name) {
                    Some(sha) => find(tier, bucket, sha).await.is_some(),
                    None => false,
                };
                known.push(Reply::Int(is_known.into()));
            }
            Ok(Reply::Array(known))
        }
        (b"FLUSH", how) if how.len() < 2 => {
            if !how.iter().all(|word| word.eq_ignore_ascii_case(b"SYNC") || word.eq_ignore_ascii_case(b"ASYNC")) {
                return Err(Fail::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
            }
            tier.tell_all(bucket, Tell::ForgetScripts).await;
            Ok(Reply::OK)
        }
        (b"FLUSH", _) => Err(Fail::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
        // One that runs too long ends by itself.
        (b"KILL", []) => Err(Fail::new("NOTBUSY No scripts in execution right now.")),
        (b"DEBUG", [how]) if how.eq_ignore_ascii_case(b"NO") => Ok(Reply::OK),
        (b"LOAD", _) => wrong_count("load"),
        (b"KILL", _) => wrong_count("kill"),
        _ => Err(unknown_subcommand(args)),
    }
}

/// The body of a script that this node or another one knows. It is known here from then on.
async fn find(tier: &DataTier, bucket: &Arc<Bucket>, sha: Sha) -> Option<Bytes> {
    if let Some(script) = bucket.held.scripts.get(&sha) {
        return Some(script.body().clone());
    }
    let said = tier.tell_others(bucket, Tell::AskScript(Bytes::copy_from_slice(&sha.hex()))).await;
    let body = said.into_iter().flat_map(|said| said.items).find(|body| Sha::of(body) == sha)?;
    keep(bucket, &body).ok()?;
    Some(body)
}

/// The words with the script itself in place of its name, if they are EVALSHA and somebody knows it.
async fn with_body(tier: &DataTier, bucket: &Arc<Bucket>, words: &Words) -> Option<Words> {
    let name = words.0.first()?;
    let instead = if name.eq_ignore_ascii_case(b"evalsha") {
        "EVAL"
    } else if name.eq_ignore_ascii_case(b"evalsha_ro") {
        "EVAL_RO"
    } else {
        return None;
    };
    let body = find(tier, bucket, Sha::from_hex(words.0.get(1)?)?).await?;
    let mut words = words.clone();
    (words.0[0], words.0[1]) = (Bytes::from_static(instead.as_bytes()), body);
    Some(words)
}

/// For commands that run as one: names of scripts become scripts, as far as they are known.
pub(super) async fn put_bodies(tier: &DataTier, bucket: &Arc<Bucket>, commands: &mut [(usize, Words)]) {
    for (_, words) in commands {
        if let Some(whole) = with_body(tier, bucket, words).await {
            *words = whole;
        }
    }
}

/// Whether this reply is not for the client yet.
pub(super) fn is_unsettled(reply: &[u8]) -> bool {
    reply.starts_with(b"-NOSCRIPT") || reply.starts_with(b"-RINGWAY-ELSEWHERE")
}

/// The reply of a script that was to be run once more.
pub(super) async fn settle(
    tier: &Arc<DataTier>,
    bucket: &str,
    unit: &Unit,
    version: RespVersion,
    mut reply: Bytes,
) -> Bytes {
    let Body::One(words) = &unit.body else { return reply };
    let Ok((_, open)) = tier.bucket(bucket).await else { return reply };
    let unknown = Fail::from(Error::Unknown).reply();
    let (mut words, mut partition) = (words.clone(), unit.own_partition());
    for _ in 0..AGAIN_MAX {
        if let Some(other) = elsewhere(&reply) {
            partition = other;
        } else if reply == unknown {
            match with_body(tier, &open, &words).await {
                Some(whole) => words = whole,
                None => return reply,
            }
        } else {
            return reply;
        }
        let again = Unit::new(partition, Body::One(words.clone()));
        reply = tier.run_units(bucket, vec![again], version).await.pop().unwrap_or_default();
    }
    if elsewhere(&reply).is_some() { not_local() } else { reply }
}
