//! Driver: `/v1/kv/{bucket}`: keys and values, for people and scripts. Programs use the Redis door.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::Error;
use crate::api::{Done, KvKeys, KvLine, RecordLine};
use crate::control::Control;
use crate::reply::{Reply, bytes, json};
use crate::request::Call;
use crate::resources::kv_top::key_view;
use crate::resources::logs::JSON_LINES;

const VALUE_BYTES_MAX: usize = 4 << 20;
const COUNT_DEFAULT: usize = 100;
const COUNT_MAX: usize = 1000;

pub(crate) async fn scan(control: Arc<Control>, call: Call) -> Reply {
    let cursor = call.number("cursor")?.unwrap_or(0);
    let count = call.number("count")?.unwrap_or(COUNT_DEFAULT).clamp(1, COUNT_MAX);
    let page = control.deps.kv.scan(call.param(0)?, cursor, count).await?;
    json(&KvKeys { keys: page.keys.iter().map(key_view).collect(), cursor: page.cursor })
}

pub(crate) async fn get(control: Arc<Control>, call: Call) -> Reply {
    match call.query("as")?.as_deref() {
        None | Some("bytes") => {}
        Some("lines") => return get_lines(control, call).await,
        Some(other) => return Err(Error::BadRequest(format!("`as` is bytes or lines, not `{other}`"))),
    }
    let value = control.deps.kv.get(call.param(0)?, key(&call)).await?;
    let value = value.ok_or_else(|| Error::NotFound(no_key(&call)))?;
    Ok(bytes("application/octet-stream", value))
}

/// A key of whatever type, with its expiry, as an export would have it.
async fn get_lines(control: Arc<Control>, call: Call) -> Reply {
    let record = control.deps.kv.read(call.param(0)?, key(&call)).await?;
    let record = record.ok_or_else(|| Error::NotFound(no_key(&call)))?;
    let mut lines = Vec::new();
    RecordLine::of(record).into_iter().for_each(|line| KvLine::Record(line).write(&mut lines));
    Ok(bytes(JSON_LINES, lines))
}

pub(crate) async fn put(control: Arc<Control>, call: Call) -> Reply {
    let ttl = call.number("ttl_ms")?.map(Duration::from_millis);
    if ttl.is_some_and(|ttl| ttl.is_zero()) {
        return Err(Error::BadRequest("`ttl_ms` is at least 1".to_owned()));
    }
    let (bucket, key) = (call.param(0)?.to_owned(), key(&call));
    let value = call.body(VALUE_BYTES_MAX).await?;
    control.deps.kv.set(&bucket, key, value, ttl).await?;
    json(&Done { done: true })
}

/// Not there is fine too: `done` says whether it was.
pub(crate) async fn delete(control: Arc<Control>, call: Call) -> Reply {
    json(&Done { done: control.deps.kv.del(call.param(0)?, key(&call)).await? })
}

fn key(call: &Call) -> Bytes {
    Bytes::copy_from_slice(call.raw_param(1))
}

fn no_key(call: &Call) -> String {
    format!(
        "there is no key {} in bucket {}",
        String::from_utf8_lossy(call.raw_param(1)),
        String::from_utf8_lossy(call.raw_param(0))
    )
}
