//! Core: keys as they change, as lines of JSON: `GET /v1/buckets/{bucket}/watch?key=K` or `?pattern=P`.

use serde::{Deserialize, Serialize};

use super::kv_line::{Text, ValueLine};

/// What somebody who watches gets to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvSeen {
    /// Each that a client makes, as the nodes execute it; and the end of keys that were seen with an expiry. Not evictions.
    EveryChange,
    /// What is different from one look to the next; not what comes and goes in between.
    LooksEveryMs(u64),
}

/// One line. An empty one says that all is quiet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WatchLine {
    /// The first.
    Head {
        watching: Text,
        sees: KvSeen,
    },
    Change(Box<ChangeLine>),
    /// So many changes came faster than they could be told.
    Lost {
        lost: u64,
        node: String,
    },
    Failure {
        error: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeLine {
    pub at_ms: u64,
    /// That executed it; None where it was found by looking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    pub key: Text,
    /// The command that did it, in lower case; `expired` when its time was over; `set` or `del` where it was found by looking.
    pub event: String,
    /// What was there right after, unless it is gone or longer than [`VALUE_BYTES_MAX`]: of several quick changes all may show the last.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// Of the value; None if it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
}

/// A longer value is not shown.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
