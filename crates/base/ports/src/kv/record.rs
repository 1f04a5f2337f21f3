//! Core: one key with all that is under it, as it is exported and imported.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a key holds, under the names of Redis' TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvKind {
    String,
    List,
    Hash,
    Set,
    #[serde(rename = "zset")]
    SortedSet,
}

#[derive(Clone, Debug, PartialEq)]
pub enum KvValue {
    String(Bytes),
    /// From the left.
    List(Vec<Bytes>),
    /// Fields with their values, in any order; so are the next.
    Hash(Vec<(Bytes, Bytes)>),
    Set(Vec<Bytes>),
    SortedSet(Vec<(Bytes, f64)>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct KvRecord {
    pub key: Bytes,
    pub value: KvValue,
    /// Milliseconds since 1970. None: it stays.
    pub expires_ms: Option<u64>,
    /// Adds to what a record before it has begun: at the end of a string or list, into a hash or set. Else it replaces what is there.
    pub continues: bool,
}

#[derive(Clone, Debug, Default)]
pub struct KvRecords {
    pub records: Vec<KvRecord>,
    /// Hand this in for the next ones; 0 at the end. Grows from partition to partition: bits 48 to 59 are the partition.
    pub cursor: u64,
}

/// What an import does with a key that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Existing {
    #[default]
    Replace,
    /// It stays as it is.
    Keep,
}

impl KvRecord {
    /// An empty string without an expiry.
    pub fn empty(key: Bytes) -> Self {
        Self { key, value: KvValue::String(Bytes::new()), expires_ms: None, continues: false }
    }
}

impl KvValue {
    pub fn kind(&self) -> KvKind {
        match self {
            KvValue::String(_) => KvKind::String,
            KvValue::List(_) => KvKind::List,
            KvValue::Hash(_) => KvKind::Hash,
            KvValue::Set(_) => KvKind::Set,
            KvValue::SortedSet(_) => KvKind::SortedSet,
        }
    }

    /// Bytes of a string, else elements.
    pub fn len(&self) -> usize {
        match self {
            KvValue::String(value) => value.len(),
            KvValue::List(elements) | KvValue::Set(elements) => elements.len(),
            KvValue::Hash(fields) => fields.len(),
            KvValue::SortedSet(members) => members.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Without what storing them costs.
    pub fn bytes(&self) -> usize {
        match self {
            KvValue::String(value) => value.len(),
            KvValue::List(elements) | KvValue::Set(elements) => elements.iter().map(Bytes::len).sum(),
            KvValue::Hash(fields) => fields.iter().map(|(field, value)| field.len() + value.len()).sum(),
            KvValue::SortedSet(members) => members.iter().map(|(member, _)| member.len() + 8).sum(),
        }
    }
}

impl fmt::Display for KvKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KvKind::String => "string",
            KvKind::List => "list",
            KvKind::Hash => "hash",
            KvKind::Set => "set",
            KvKind::SortedSet => "zset",
        })
    }
}
