//! Core: keys as lines of JSON, for export, import and watching.
//!
//! ```json
//! {"ringway":"bucket export","version":1,"bucket":"shop.cart","at_ms":1760000000000}
//! {"key":"cart:1","type":"hash","value":[["mug","2"]],"expires_ms":1760000600000}
//! {"key":{"base64":"/wA="},"type":"string","value":"hello"}
//! {"cursor":4503599627370496,"keys":2}
//! {"done":true,"keys":2}
//! ```
//!
//! What is text is text, what is not is base64. Scores are text too, because not every reader of JSON reads a number exactly. A
//! value that is long takes several lines: all but the last say `more`, all but the first `continues`. A line with a `cursor` comes
//! after each page: an export that was cut off goes on from the last of them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ringway_ports::{KvRecord, KvValue};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub const EXPORT: &str = "bucket export";
pub const VERSION: u32 = 1;
/// A value (without key) that is longer takes several lines. Its JSON is at most six times as long (`\u0001` for one byte).
pub const PIECE_BYTES_MAX: usize = 1 << 20;
/// No line is longer: what has a single element of tens of megabytes cannot be imported.
pub const LINE_BYTES_MAX: usize = 64 << 20;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KvLine {
    Record(RecordLine),
    /// Everything before it is whole.
    Page {
        cursor: u64,
        keys: u64,
    },
    Done {
        done: bool,
        keys: u64,
    },
    Head(HeadLine),
    /// The node had to stop here.
    Failure {
        error: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadLine {
    /// [`EXPORT`]
    pub ringway: String,
    pub version: u32,
    pub bucket: String,
    pub at_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordLine {
    pub key: Text,
    #[serde(flatten)]
    pub value: ValueLine,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// Adds to the value of the line before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continues: bool,
    /// The value goes on in the next line.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum ValueLine {
    String(Text),
    List(Vec<Text>),
    Hash(Vec<(Text, Text)>),
    Set(Vec<Text>),
    /// Members with their scores.
    #[serde(rename = "zset")]
    SortedSet(Vec<(Text, String)>),
}

/// Bytes, as text if they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    Utf8(String),
    Base64 { base64: String },
}

/// Why a line is no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    #[error("not a line of an export: {0}")]
    NotALine(String),
    #[error("`{0}` is not base64")]
    NotBase64(String),
    #[error("`{0}` is not a score")]
    NotAScore(String),
    #[error("an empty {0} cannot be: a key without elements is no key")]
    Empty(&'static str),
}

impl KvLine {
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        // What an untagged enum says of a line that fits nowhere helps nobody.
        serde_json::from_slice(line).map_err(|error| match serde_json::from_slice::<serde_json::Value>(line) {
            Ok(_) => LineError::NotALine("it has not the fields of one".to_owned()),
            Err(_) => LineError::NotALine(error.to_string()),
        })
    }

    pub fn head(bucket: &str, at_ms: u64) -> Self {
        Self::Head(HeadLine { ringway: EXPORT.to_owned(), version: VERSION, bucket: bucket.to_owned(), at_ms })
    }

    /// With its line end, at the end of `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        // These types always have a JSON form, and writing into memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, self);
        out.push(b'\n');
    }
}

impl RecordLine {
    /// A record as lines, each with at most [`PIECE_BYTES_MAX`] of its value, or one element if that is longer. Elements are not cut.
    pub fn of(record: KvRecord) -> Vec<Self> {
        let KvRecord { key, value, expires_ms, continues } = record;
        let key = Text::from(&key);
        let mut lines: Vec<Self> = pieces(value)
            .into_iter()
            .map(|value| Self { key: key.clone(), value, expires_ms, continues: true, more: true })
            .collect();
        if let Some(first) = lines.first_mut() {
            first.continues = continues;
        }
        if let Some(last) = lines.last_mut() {
            last.more = false;
        }
        lines
    }

    pub fn record(self) -> Result<KvRecord, LineError> {
        let value = self.value.value()?;
        if value.is_empty() && !matches!(value, KvValue::String(_)) {
            return Err(LineError::Empty(kind_name(&value)));
        }
        let key = self.key.bytes()?;
        Ok(KvRecord { key, value, expires_ms: self.expires_ms, continues: self.continues })
    }
}

impl ValueLine {
    fn value(self) -> Result<KvValue, LineError> {
        let all = |texts: Vec<Text>| texts.iter().map(Text::bytes).collect::<Result<Vec<Bytes>, _>>();
        Ok(match self {
            Self::String(text) => KvValue::String(text.bytes()?),
            Self::List(elements) => KvValue::List(all(elements)?),
            Self::Set(members) => KvValue::Set(all(members)?),
            Self::Hash(fields) => {
                let pair = |(field, value): &(Text, Text)| Ok((field.bytes()?, value.bytes()?));
                KvValue::Hash(fields.iter().map(pair).collect::<Result<_, LineError>>()?)
            }
            Self::SortedSet(members) => {
                let pair = |(member, text): &(Text, String)| Ok((member.bytes()?, score(text)?));
                KvValue::SortedSet(members.iter().map(pair).collect::<Result<_, LineError>>()?)
            }
        })
    }
}

impl Text {
    pub fn bytes(&self) -> Result<Bytes, LineError> {
        match self {
            Self::Utf8(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
            Self::Base64 { base64 } => {
                STANDARD.decode(base64).map(Bytes::from).map_err(|_| LineError::NotBase64(base64.clone()))
            }
        }
    }

    /// For people: what is no text is marked as such.
    pub fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Utf8(text) => Cow::Borrowed(text),
            Self::Base64 { base64 } => Cow::Owned(format!("base64:{base64}")),
        }
    }
}

impl From<&Bytes> for Text {
    fn from(bytes: &Bytes) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text.to_owned()),
            Err(_) => Self::Base64 { base64: STANDARD.encode(bytes) },
        }
    }
}

/// At least one, in order.
fn pieces(value: KvValue) -> Vec<ValueLine> {
    match value {
        KvValue::String(value) if value.is_empty() => vec![ValueLine::String(Text::from(&value))],
        KvValue::String(value) => cut(&value).iter().map(|piece| ValueLine::String(Text::from(piece))).collect(),
        KvValue::List(elements) => grouped(elements, Bytes::len, |e| Text::from(&e), ValueLine::List),
        KvValue::Set(members) => grouped(members, Bytes::len, |m| Text::from(&m), ValueLine::Set),
        KvValue::Hash(fields) => grouped(
            fields,
            |(field, value)| field.len() + value.len(),
            |(field, value)| (Text::from(&field), Text::from(&value)),
            ValueLine::Hash,
        ),
        KvValue::SortedSet(members) => grouped(
            members,
            |(member, _)| member.len(),
            |(member, score)| (Text::from(&member), score.to_string()),
            ValueLine::SortedSet,
        ),
    }
}

/// At borders of characters where it is text, so that each piece is.
fn cut(value: &Bytes) -> Vec<Bytes> {
    let is_text = std::str::from_utf8(value).is_ok();
    let mut pieces = Vec::new();
    let mut rest = value.clone();
    while rest.len() > PIECE_BYTES_MAX {
        let is_inside = |at: &usize| is_text && rest[*at] & 0xc0 == 0x80;
        let at = (1..=PIECE_BYTES_MAX).rev().find(|at| !is_inside(at)).unwrap_or(PIECE_BYTES_MAX);
        pieces.push(rest.split_to(at));
    }
    pieces.push(rest);
    pieces
}

fn grouped<E, T>(
    elements: Vec<E>,
    len: impl Fn(&E) -> usize,
    text: impl Fn(E) -> T,
    line: impl Fn(Vec<T>) -> ValueLine,
) -> Vec<ValueLine> {
    /// An element costs something even if it is empty.
    const ELEMENT_BYTES: usize = 16;
    let (mut lines, mut group, mut bytes) = (Vec::new(), Vec::new(), 0);
    for element in elements {
        let more = len(&element) + ELEMENT_BYTES;
        if bytes + more > PIECE_BYTES_MAX && !group.is_empty() {
            lines.push(line(std::mem::take(&mut group)));
            bytes = 0;
        }
        bytes += more;
        group.push(text(element));
    }
    lines.push(line(group));
    lines
}

fn score(text: &str) -> Result<f64, LineError> {
    let score = text.parse::<f64>().ok().filter(|score| !score.is_nan());
    score.ok_or_else(|| LineError::NotAScore(text.to_owned()))
}

fn kind_name(value: &KvValue) -> &'static str {
    match value {
        KvValue::String(_) => "string",
        KvValue::List(_) => "list",
        KvValue::Hash(_) => "hash",
        KvValue::Set(_) => "set",
        KvValue::SortedSet(_) => "zset",
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests;
