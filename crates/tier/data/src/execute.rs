//! Core: runs ops on the local store, under the lock of each key's partition. The clock is handed in.

use bytes::{Bytes, BytesMut};
use ringway_causality::Version;
use ringway_engine::Store;
use ringway_protocol::resp::Reply;
use ringway_protocol::resp::request::parse_int;
use ringway_replication::Cell;
use ringway_ring::Partition;

use crate::Error;
use crate::op::{Action, ExpireOnly, Expiry, Op, Set, SetOnly, TtlUnit, VALUE_LEN_MAX};

const NOT_AN_INTEGER: Reply = Reply::error("ERR value is not an integer or out of range");
const OVERFLOW: Reply = Reply::error("ERR increment or decrement would overflow");
const TOO_LONG: Reply = Reply::error("ERR string exceeds maximum allowed size (7340032 bytes)");

/// A cell that this node has written and the other replicas have not.
pub(crate) type Written = (Partition, Bytes, Cell);

/// Runs ops and collects what they wrote.
pub(crate) struct Executor<'a> {
    pub(crate) store: &'a Store,
    /// The version of a write that replaces the given one.
    pub(crate) next_version: &'a (dyn Fn(Option<&Version>) -> Version + Sync),
    pub(crate) now_ms: u64,
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) written: Vec<Written>,
}

/// What becomes of a key.
enum Change {
    None,
    Delete,
    /// Value and expiry.
    Put(Bytes, Option<u64>),
}

/// What a reader may see of a key.
#[derive(Clone, Copy)]
struct Seen<'a> {
    value: &'a Bytes,
    expires_ms: Option<u64>,
}

impl Executor<'_> {
    pub(crate) fn run(&mut self, partition: Partition, op: &Op) -> Reply {
        let result = match op.action {
            Action::Get | Action::Exists | Action::Strlen | Action::Type | Action::Ttl(_) | Action::GetRange { .. } => {
                self.read(partition, op)
            }
            _ => self.write(partition, op),
        };
        result.unwrap_or_else(|error| error.reply())
    }

    fn read(&self, partition: Partition, op: &Op) -> Result<Reply, Error> {
        let cell = self.store.get(partition, &op.key)?;
        Ok(read(&op.action, self.seen(cell.as_ref()), self.now_ms))
    }

    fn write(&mut self, partition: Partition, op: &Op) -> Result<Reply, Error> {
        let grows = match &op.action {
            Action::Set(Set { value, .. }) | Action::Append(value) | Action::SetRange { value, .. } => {
                Some(value.len())
            }
            Action::Add(_) => Some(20),
            _ => None,
        };
        if let Some(len) = grows {
            self.store.admit(op.key.len() + len)?;
        }
        let mut written = None;
        let reply = self.store.update(partition, &op.key, |current| {
            let (change, reply) = write(&op.action, self.seen(current), self.now_ms, self.ttl_ms);
            let cell = match change {
                Change::None => None,
                Change::Delete => Some(Cell::tombstone((self.next_version)(current.map(|cell| &cell.version)))),
                Change::Put(value, expires_ms) => {
                    Some(Cell::new((self.next_version)(current.map(|cell| &cell.version)), value, expires_ms))
                }
            };
            written.clone_from(&cell);
            (cell, reply)
        })?;
        if let Some(cell) = written {
            self.written.push((partition, op.key.clone(), cell));
        }
        Ok(reply)
    }

    fn seen<'c>(&self, cell: Option<&'c Cell>) -> Option<Seen<'c>> {
        let cell = cell?;
        Some(Seen { value: cell.live_value(self.now_ms)?, expires_ms: cell.expires_ms })
    }
}

fn read(action: &Action, seen: Option<Seen<'_>>, now_ms: u64) -> Reply {
    match action {
        Action::Exists => Reply::Int(i64::from(seen.is_some())),
        Action::Strlen => Reply::Int(seen.map_or(0, |seen| seen.value.len() as i64)),
        Action::Type => Reply::Simple(if seen.is_some() { "string".into() } else { "none".into() }),
        Action::Ttl(unit) => Reply::Int(ttl(*unit, seen, now_ms)),
        Action::GetRange { first, last } => {
            Reply::Bulk(seen.map_or_else(Bytes::new, |seen| range(seen.value, *first, *last)))
        }
        _ => bulk(seen),
    }
}

fn write(action: &Action, seen: Option<Seen<'_>>, now_ms: u64, ttl_ms: Option<u64>) -> (Change, Reply) {
    match (action, seen) {
        (Action::Set(set), _) => write_set(set, seen, now_ms, ttl_ms),
        (Action::Append(tail), _) => append(tail, seen, ttl_ms.map(|ttl| now_ms + ttl)),
        (Action::SetRange { offset, value }, _) => {
            set_range(*offset as usize, value, seen, ttl_ms.map(|ttl| now_ms + ttl))
        }
        (Action::Add(by), _) => add(*by, seen, ttl_ms.map(|ttl| now_ms + ttl)),
        (Action::GetDel, Some(_)) => (Change::Delete, bulk(seen)),
        (Action::GetEx(expiry), Some(seen)) => get_ex(*expiry, seen, now_ms),
        (Action::GetDel | Action::GetEx(_), None) => (Change::None, Reply::Null),
        (Action::Del, Some(_)) => (Change::Delete, Reply::Int(1)),
        (Action::ExpireAt { at_ms, only }, Some(seen)) => expire_at(*at_ms, *only, seen, now_ms),
        (Action::Persist, Some(Seen { value, expires_ms: Some(_) })) => {
            (Change::Put(value.clone(), None), Reply::Int(1))
        }
        _ => (Change::None, Reply::Int(0)),
    }
}

fn write_set(set: &Set, seen: Option<Seen<'_>>, now_ms: u64, ttl_ms: Option<u64>) -> (Change, Reply) {
    let refused = match set.only {
        Some(SetOnly::IfMissing) => seen.is_some(),
        Some(SetOnly::IfThere) => seen.is_none(),
        None => false,
    };
    let reply = match (set.get, set.as_number) {
        (true, _) => bulk(seen),
        (_, true) => Reply::Int(i64::from(!refused)),
        _ if refused => Reply::Null,
        _ => Reply::OK,
    };
    if refused {
        return (Change::None, reply);
    }
    let expires_ms = match set.expiry {
        Expiry::Default => ttl_ms.map(|ttl| now_ms + ttl),
        Expiry::Keep => seen.and_then(|seen| seen.expires_ms),
        Expiry::Never => None,
        Expiry::At(at_ms) => Some(at_ms),
    };
    match expires_ms {
        // Written into the past: it is gone at once, as in Redis.
        Some(at_ms) if at_ms <= now_ms => (if seen.is_some() { Change::Delete } else { Change::None }, reply),
        _ => (Change::Put(set.value.clone(), expires_ms), reply),
    }
}

fn append(tail: &Bytes, seen: Option<Seen<'_>>, default_expiry: Option<u64>) -> (Change, Reply) {
    let head: &[u8] = seen.map_or(b"", |seen| seen.value);
    if head.len() + tail.len() > VALUE_LEN_MAX {
        return (Change::None, TOO_LONG);
    }
    let value = [head, tail].concat();
    let reply = Reply::Int(value.len() as i64);
    (Change::Put(value.into(), expiry_of(seen, default_expiry)), reply)
}

fn set_range(offset: usize, piece: &Bytes, seen: Option<Seen<'_>>, default_expiry: Option<u64>) -> (Change, Reply) {
    let head: &[u8] = seen.map_or(b"", |seen| seen.value);
    if piece.is_empty() {
        return (Change::None, Reply::Int(head.len() as i64));
    }
    if offset + piece.len() > VALUE_LEN_MAX {
        return (Change::None, TOO_LONG);
    }
    let mut value = BytesMut::from(head);
    value.resize(value.len().max(offset + piece.len()), 0);
    value[offset..offset + piece.len()].copy_from_slice(piece);
    let reply = Reply::Int(value.len() as i64);
    (Change::Put(value.freeze(), expiry_of(seen, default_expiry)), reply)
}

fn add(by: i64, seen: Option<Seen<'_>>, default_expiry: Option<u64>) -> (Change, Reply) {
    let Some(number) = seen.map_or(Some(0), |seen| parse_int(seen.value)) else {
        return (Change::None, NOT_AN_INTEGER);
    };
    let Some(sum) = number.checked_add(by) else { return (Change::None, OVERFLOW) };
    (Change::Put(sum.to_string().into(), expiry_of(seen, default_expiry)), Reply::Int(sum))
}

fn get_ex(expiry: Expiry, seen: Seen<'_>, now_ms: u64) -> (Change, Reply) {
    let reply = Reply::Bulk(seen.value.clone());
    match expiry {
        Expiry::At(at_ms) if at_ms <= now_ms => (Change::Delete, reply),
        Expiry::At(at_ms) => (Change::Put(seen.value.clone(), Some(at_ms)), reply),
        Expiry::Never if seen.expires_ms.is_some() => (Change::Put(seen.value.clone(), None), reply),
        _ => (Change::None, reply),
    }
}

fn expire_at(at_ms: u64, only: Option<ExpireOnly>, seen: Seen<'_>, now_ms: u64) -> (Change, Reply) {
    let current = seen.expires_ms.unwrap_or(u64::MAX);
    let allowed = match only {
        None => true,
        Some(ExpireOnly::WithoutExpiry) => seen.expires_ms.is_none(),
        Some(ExpireOnly::WithExpiry) => seen.expires_ms.is_some(),
        Some(ExpireOnly::Later) => at_ms > current,
        Some(ExpireOnly::Sooner) => at_ms < current,
        Some(ExpireOnly::SoonerWithExpiry) => seen.expires_ms.is_some() && at_ms < current,
    };
    match allowed {
        false => (Change::None, Reply::Int(0)),
        true if at_ms <= now_ms => (Change::Delete, Reply::Int(1)),
        true => (Change::Put(seen.value.clone(), Some(at_ms)), Reply::Int(1)),
    }
}

/// A key that exists keeps its own expiry; a new one gets the bucket's.
fn expiry_of(seen: Option<Seen<'_>>, default_expiry: Option<u64>) -> Option<u64> {
    seen.map_or(default_expiry, |seen| seen.expires_ms)
}

fn bulk(seen: Option<Seen<'_>>) -> Reply {
    seen.map_or(Reply::Null, |seen| Reply::Bulk(seen.value.clone()))
}

fn ttl(unit: TtlUnit, seen: Option<Seen<'_>>, now_ms: u64) -> i64 {
    let Some(seen) = seen else { return -2 };
    let Some(at_ms) = seen.expires_ms else { return -1 };
    let left_ms = || at_ms.saturating_sub(now_ms);
    let number = match unit {
        TtlUnit::Seconds => left_ms().saturating_add(500) / 1000,
        TtlUnit::Millis => left_ms(),
        TtlUnit::UnixSeconds => at_ms.saturating_add(500) / 1000,
        TtlUnit::UnixMillis => at_ms,
    };
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// GETRANGE: negative positions count from the end, `last` is included.
fn range(value: &Bytes, first: i64, last: i64) -> Bytes {
    let len = value.len() as i64;
    let absolute = |at: i64| if at < 0 { (len + at).max(0) } else { at };
    if first < 0 && last < 0 && first > last {
        return Bytes::new();
    }
    let (first, last) = (absolute(first), absolute(last).min(len - 1));
    if first > last { Bytes::new() } else { value.slice(first as usize..=last as usize) }
}
