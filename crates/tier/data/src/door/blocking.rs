//! Driver: commands that wait until there is something.
//!
//! An attempt is an ordinary command. In between, the client stands in the queues of its keys ([`crate::waiters`]) at the nodes
//! that execute them, and is told when to try again. The queue is joined before the attempt, so nothing is missed between the two.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::select_all;
use ringway_rt::clock;
use tokio::time::Instant;

use crate::DataTier;
use crate::bucket::Bucket;
use crate::call::Args;
use crate::command::{Run, Spec, args, key_positions};
use crate::door::batch::redirected;
use crate::door::output::Output;
use crate::door::session::Session;
use crate::fail::Fail;
use crate::unit::Unit;

/// However quiet it is, it is tried again after so long.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// "For ever", in seconds.
const WAIT_MAX: f64 = 1e9;

pub(super) async fn run(
    tier: &Arc<DataTier>,
    session: &mut Session,
    spec: &'static Spec,
    words: Args<'_>,
    output: &mut Output,
) -> io::Result<()> {
    match prepare(tier, session, spec, words) {
        Ok(asked) => wait(tier, session, asked, output).await,
        Err(reply) => output.put_raw(reply).await,
    }
}

struct Asked {
    bucket: Arc<Bucket>,
    keys: Vec<Bytes>,
    /// One for each key, if they are in several slots: tried in order.
    units: Vec<Unit>,
    until: Instant,
}

fn prepare(tier: &Arc<DataTier>, session: &Session, spec: &'static Spec, words: Args<'_>) -> Result<Asked, Bytes> {
    let bucket = session.bucket_of(&tier.view()).map_err(|fail| fail.reply())?;
    let places = key_positions(spec, words).map_err(|fail| fail.reply())?;
    let keys: Vec<&[u8]> = places.iter().map(|at| words[*at]).collect();
    if let Some(reply) = redirected(tier, session, &bucket, spec, &keys) {
        return Err(reply);
    }
    let until = Instant::from_std(clock::now()) + timeout(spec, words);
    let first = keys.first().copied().unwrap_or_default();
    let is_one = keys.iter().all(|key| bucket.slot_of(key) == bucket.slot_of(first));
    let units = match is_one {
        true => vec![Unit::one(bucket.partition_of(first), words)],
        false => each_alone(&bucket, words, &places).ok_or_else(|| Fail::CROSS_SLOT.reply())?,
    };
    let keys = keys.into_iter().map(Bytes::copy_from_slice).collect();
    Ok(Asked { bucket, keys, units, until })
}

/// BLPOP a b 0 is BLPOP a 0 and BLPOP b 0; what has other words between is not taken apart.
fn each_alone(bucket: &Bucket, words: Args<'_>, places: &[usize]) -> Option<Vec<Unit>> {
    let last = *places.last()?;
    if places.first() != Some(&1) || last + 2 != words.len() || words[0].eq_ignore_ascii_case(b"brpoplpush") {
        return None;
    }
    let one = |at: &usize| Unit::one(bucket.partition_of(words[*at]), &[words[0], words[*at], words[last + 1]]);
    Some(places.iter().map(one).collect())
}

/// What is wrong with it, the command itself says, and when: after or before other words.
fn timeout(spec: &Spec, words: Args<'_>) -> Duration {
    let Run::Blocking(place, _) = spec.run else { return Duration::ZERO };
    let at = if place < 0 { words.len() as i32 + place } else { place };
    let word = words.get(at.max(0) as usize).copied().unwrap_or_default();
    let Ok(seconds) = args::timeout(word) else { return Duration::ZERO };
    Duration::from_secs_f64(if seconds == 0.0 { WAIT_MAX } else { seconds.min(WAIT_MAX) })
}

async fn wait(tier: &Arc<DataTier>, session: &Session, asked: Asked, output: &mut Output) -> io::Result<()> {
    // What was said before goes out first: the client may wait for it.
    output.flush().await?;
    loop {
        let queues = tier.queue_up(&asked.bucket, &asked.keys);
        for unit in &asked.units {
            let replies = tier.run_units(&asked.bucket.name, vec![unit.clone()], session.version()).await;
            let reply = replies.into_iter().next().unwrap_or_else(|| Fail::new("ERR no reply").reply());
            let is_nothing = matches!(&reply[..], b"*-1\r\n" | b"$-1\r\n" | b"_\r\n");
            if !is_nothing || Instant::now() >= asked.until {
                // Whatever it would have been, in Redis it is an array that did not come.
                let is_null = &reply[..] == b"$-1\r\n";
                return output.put_raw(if is_null { Bytes::from_static(b"*-1\r\n") } else { reply }).await;
            }
        }
        let again = Instant::now() + LOOK_EVERY;
        tokio::select! {
            () = tier.tasks.stopping() => {
                return output.put_raw(Fail::new("UNBLOCKED this node stops: connect to another one").reply()).await;
            }
            gone = output.gone() => {
                gone?;
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it closed while it waited"));
            }
            () = told(queues) => {}
            () = tokio::time::sleep_until(again.min(asked.until)) => {}
        }
    }
}

async fn told(queues: Vec<crate::queue_up::Queue<'_>>) {
    if queues.is_empty() {
        return std::future::pending().await;
    }
    select_all(queues.into_iter().map(|queue| Box::pin(queue.told()))).await;
}
