//! Driver: requests whose keys are elsewhere, or that need more than the short way: each key's part goes where the key is, and the
//! answers come out in the order of the requests.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use ringway_protocol::memcache::{Get, Request, reply};
use ringway_protocol::resp::RespVersion;

use super::step::Step;
use crate::DataTier;
use crate::bucket::Bucket;
use crate::door::output::Output;
use crate::fail::Fail;
use crate::memcache;
use crate::share::share;
use crate::unit::{Body, Unit};
use crate::unit_run::UnitRun;

/// Writes the answers to all of them. None is about the whole bucket.
pub(super) async fn run(
    tier: &Arc<DataTier>,
    bucket_name: &str,
    steps: &[Step<'_>],
    source: Option<&Bytes>,
    output: &mut Output,
) -> io::Result<()> {
    let bucket = match tier.bucket(bucket_name).await {
        Ok((_, bucket)) => bucket,
        Err(error) => {
            let text = memcache::server_error(&error.fail());
            let out = output.out(RespVersion::Two);
            steps.iter().for_each(|step| step.fail(&text, out));
            return Ok(());
        }
    };
    let units = steps.iter().flat_map(|step| units_of(&bucket, step, source)).collect();
    let mut run = UnitRun::new(units, RespVersion::Two);
    for step in steps {
        match step {
            Step::Say(text) => Step::say(text, output.out(RespVersion::Two)),
            Step::Whole(_) => {}
            Step::Keys { request: Request::Get(asked), .. } => get(tier, bucket_name, &mut run, asked, output).await?,
            Step::Keys { request, .. } => {
                let reply = take(tier, bucket_name, &mut run, output).await?;
                match failure(&reply) {
                    None => output.put_raw(reply).await?,
                    Some(_) if memcache::is_silent(request) => {}
                    Some(text) => reply::line(output.out(RespVersion::Two), &text),
                }
            }
        }
        output.flush_if_long().await?;
    }
    Ok(())
}

fn units_of(bucket: &Bucket, step: &Step<'_>, source: Option<&Bytes>) -> Vec<Unit> {
    let unit = |key: &[u8], request: Bytes| {
        Unit::new(bucket.partition_of(key), Body::Memcache { key: Bytes::copy_from_slice(key), request })
    };
    match step {
        Step::Keys { request: Request::Get(asked), .. } => {
            asked.keys.map(|key| unit(key, encoded_get(asked, key))).collect()
        }
        Step::Keys { request: Request::Delete { key, .. }, encoded: [] } => {
            vec![unit(key, [&b"delete "[..], key, b" noreply\r\n"].concat().into())]
        }
        Step::Keys { encoded, .. } => step.keys().map(|key| unit(key, share(encoded, source))).collect(),
        Step::Say(_) | Step::Whole(_) => Vec::new(),
    }
}

/// The part of a `get` that is about one of its keys.
fn encoded_get(asked: &Get<'_>, key: &[u8]) -> Bytes {
    let name = match (asked.expires, asked.with_cas) {
        (None, false) => "get ".to_owned(),
        (None, true) => "gets ".to_owned(),
        (Some(expires), false) => format!("gat {expires} "),
        (Some(expires), true) => format!("gats {expires} "),
    };
    [name.as_bytes(), key, b"\r\n"].concat().into()
}

/// Hits go out as they come; a part that failed ends it.
async fn get(
    tier: &Arc<DataTier>,
    bucket: &str,
    run: &mut UnitRun,
    asked: &Get<'_>,
    output: &mut Output,
) -> io::Result<()> {
    let mut failed = None;
    for _ in asked.keys {
        let reply = take(tier, bucket, run, output).await?;
        if failed.is_some() {
            continue;
        }
        failed = failure(&reply);
        if failed.is_none() {
            output.put_raw(reply).await?;
        }
    }
    reply::line(output.out(RespVersion::Two), failed.as_deref().unwrap_or("END"));
    Ok(())
}

/// The next unit's reply. They are run when nothing is there to go on with; before any but the first time, the client has to take
/// what there is.
async fn take(tier: &Arc<DataTier>, bucket: &str, run: &mut UnitRun, output: &mut Output) -> io::Result<Bytes> {
    if !run.is_ready() {
        if run.front() > 0 {
            output.flush().await?;
            output.expect_open()?;
        }
        tier.advance(bucket, run, 0).await;
    }
    Ok(run.take().unwrap_or_else(|| Fail::new("ERR no reply").reply()))
}

/// What the way there has to say, which is in the Redis protocol; no reply of memcached's begins like that.
fn failure(reply: &[u8]) -> Option<String> {
    if let Some(text) = reply.strip_prefix(b"-") {
        let text = String::from_utf8_lossy(text).trim_end().to_owned();
        return Some(memcache::server_error(&Fail::of(text)));
    }
    let text = reply.strip_prefix(b"SERVER_ERROR ")?;
    Some(format!("SERVER_ERROR {}", String::from_utf8_lossy(text).trim_end()))
}
