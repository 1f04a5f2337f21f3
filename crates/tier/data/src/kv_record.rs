//! Core: a key as it is exported and imported: from what is stored, and back as the commands that write it.

use bytes::Bytes;
use ringway_ports::{BigKey, Existing, KvKind, KvRecord, KvValue};
use ringway_ring::Partition;
use ringway_values::{Body as Elements, Kind, State};

use crate::unit::{Body, Unit, Watched, Words};

/// What a client would see of it; None if that is nothing.
pub(crate) fn record_of(key: Bytes, state: &State, now_ms: u64) -> Option<KvRecord> {
    if !state.is_live(now_ms) {
        return None;
    }
    let value = match state {
        State::Register(register) => KvValue::String(register.value.clone()?),
        State::Counter(counter) => KvValue::String(counter.value().to_string().into()),
        State::Collection(collection) => elements(collection.body()),
    };
    Some(KvRecord { key, value, expires_ms: state.expires_ms(), continues: false })
}

pub(crate) fn big_key(key: Bytes, state: &State, now_ms: u64) -> Option<BigKey> {
    let kind = state.live_kind(now_ms)?;
    let len = match state {
        State::Register(register) => register.value.as_ref().map_or(0, Bytes::len),
        State::Counter(counter) => counter.value().to_string().len(),
        State::Collection(collection) => collection.len(),
    };
    let bytes = (key.len() + state.heap_bytes()) as u64;
    Some(BigKey { key, kind: kind_of(kind), bytes, len: len as u64 })
}

fn kind_of(kind: Kind) -> KvKind {
    match kind {
        Kind::String => KvKind::String,
        Kind::List => KvKind::List,
        Kind::Hash => KvKind::Hash,
        Kind::Set => KvKind::Set,
        Kind::SortedSet => KvKind::SortedSet,
    }
}

fn elements(body: &Elements) -> KvValue {
    let owned = Bytes::copy_from_slice;
    match body {
        Elements::List(list) => KvValue::List(list.iter().map(owned).collect()),
        Elements::Hash(hash) => KvValue::Hash(hash.iter().map(|(field, value)| (owned(field), owned(value))).collect()),
        Elements::Set(set) => KvValue::Set(set.iter().map(owned).collect()),
        Elements::SortedSet(set) => {
            KvValue::SortedSet(set.iter().map(|(member, score)| (owned(member), score)).collect())
        }
    }
}

/// The commands that write it, as one: nobody sees the key in between.
pub(crate) fn unit_of(record: KvRecord, partition: Partition, existing: Existing) -> Unit {
    let KvRecord { key, value, expires_ms, continues } = record;
    let mut commands = Vec::new();
    if !continues {
        commands.push(vec![Bytes::from_static(b"DEL"), key.clone()]);
    }
    commands.push(write(&key, value, continues));
    if let Some(expires_ms) = expires_ms {
        commands.push(vec![Bytes::from_static(b"PEXPIREAT"), key.clone(), expires_ms.to_string().into()]);
    }
    // A key that is not there has the fingerprint 0.
    let watched = match existing {
        Existing::Keep if !continues => vec![Watched { key, fingerprint: 0 }],
        _ => Vec::new(),
    };
    Unit::new(partition, Body::Transaction { watched, commands: commands.into_iter().map(Words).collect() })
}

fn write(key: &Bytes, value: KvValue, continues: bool) -> Vec<Bytes> {
    let name = match &value {
        KvValue::String(_) if continues => "APPEND",
        KvValue::String(_) => "SET",
        KvValue::List(_) => "RPUSH",
        KvValue::Hash(_) => "HSET",
        KvValue::Set(_) => "SADD",
        KvValue::SortedSet(_) => "ZADD",
    };
    let mut words = vec![Bytes::from_static(name.as_bytes()), key.clone()];
    match value {
        KvValue::String(value) => words.push(value),
        KvValue::List(elements) | KvValue::Set(elements) => words.extend(elements),
        KvValue::Hash(fields) => words.extend(fields.into_iter().flat_map(|(field, value)| [field, value])),
        KvValue::SortedSet(members) => {
            words.extend(members.into_iter().flat_map(|(member, score)| [score_text(score), member]));
        }
    }
    words
}

/// Reads back to the same number.
fn score_text(score: f64) -> Bytes {
    match score {
        f64::INFINITY => Bytes::from_static(b"+inf"),
        f64::NEG_INFINITY => Bytes::from_static(b"-inf"),
        score => score.to_string().into(),
    }
}

#[cfg(test)]
mod tests;
