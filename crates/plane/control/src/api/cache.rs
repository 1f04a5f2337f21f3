//! Core: what the HTTP cache has done, what is in it, and having it forget.

use ringway_ports::{CacheEntry, CacheStats};
use serde::{Deserialize, Serialize};

use super::status::NodeRef;

/// `GET /v1/cache`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheView {
    /// Of all nodes that have answered.
    pub total: CacheFigures,
    pub nodes: Vec<CacheOnNode>,
    /// Nodes whose figures are missing here, with why.
    pub missing: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheOnNode {
    pub node: NodeRef,
    pub figures: CacheFigures,
}

/// Since the node started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheFigures {
    pub responses: u64,
    pub bytes: u64,
    pub bytes_limit: u64,
    pub hits: u64,
    pub stale_hits: u64,
    pub misses: u64,
    /// Requests that had nothing to do with the cache.
    pub bypassed: u64,
    /// Misses that waited for another request's fetch.
    pub collapsed: u64,
    pub revalidations: u64,
    pub evicted: u64,
    pub purged: u64,
    pub saved_bytes: u64,
    pub saved_ms: u64,
}

/// `GET /v1/cache/entries?pattern=TEXT&count=N`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheEntries {
    /// The most used first.
    pub entries: Vec<CacheEntryView>,
    pub missing: Vec<(String, String)>,
}

/// A response that a node has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheEntryView {
    pub node: String,
    pub url: String,
    pub app: String,
    pub status: u16,
    /// With what it takes to find it.
    pub bytes: u64,
    pub age_ms: u64,
    /// Negative: stale for so long.
    pub fresh_for_seconds: i64,
    pub uses: u64,
    pub tags: Vec<String>,
    /// The request headers that tell its variants apart, with the values of this one.
    pub vary: Vec<(String, String)>,
    /// The node that fetches it for all.
    pub owner: Option<String>,
}

/// `POST /v1/cache/purge`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgeWish {
    /// `shop.example/a?b`, with or without its scheme; over both schemes. With a `*` at its end: all that begin so.
    Url(String),
    Tag {
        app: String,
        tag: String,
    },
    App(String),
    All,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgedView {
    /// Copies of responses that were forgotten.
    pub responses: u64,
    /// Who has forgotten.
    pub nodes: Vec<String>,
    /// Could not be reached: they forget when they are back.
    pub missing: Vec<String>,
    pub took_ms: u64,
}

impl CacheFigures {
    /// Answers that no app was asked for, of all that the cache had to do with.
    pub fn hit_ratio(&self) -> Option<f64> {
        let spared = self.hits + self.stale_hits + self.collapsed;
        let all = spared + self.misses;
        (all > 0).then(|| spared as f64 / all as f64)
    }

    pub fn add(&mut self, other: &Self) {
        self.responses += other.responses;
        self.bytes += other.bytes;
        self.bytes_limit += other.bytes_limit;
        self.hits += other.hits;
        self.stale_hits += other.stale_hits;
        self.misses += other.misses;
        self.bypassed += other.bypassed;
        self.collapsed += other.collapsed;
        self.revalidations += other.revalidations;
        self.evicted += other.evicted;
        self.purged += other.purged;
        self.saved_bytes += other.saved_bytes;
        self.saved_ms += other.saved_ms;
    }
}

impl From<CacheStats> for CacheFigures {
    fn from(stats: CacheStats) -> Self {
        Self {
            responses: stats.responses,
            bytes: stats.bytes,
            bytes_limit: stats.bytes_limit,
            hits: stats.hits,
            stale_hits: stats.stale_hits,
            misses: stats.misses,
            bypassed: stats.bypassed,
            collapsed: stats.collapsed,
            revalidations: stats.revalidations,
            evicted: stats.evicted,
            purged: stats.purged,
            saved_bytes: stats.saved_bytes,
            saved_ms: stats.saved.as_millis() as u64,
        }
    }
}

impl CacheEntryView {
    pub fn new(entry: CacheEntry, node: String, owner: Option<String>) -> Self {
        Self {
            node,
            owner,
            url: entry.url,
            app: entry.app,
            status: entry.status,
            bytes: entry.bytes,
            age_ms: entry.age.as_millis() as u64,
            fresh_for_seconds: entry.fresh_for_seconds,
            uses: entry.uses,
            tags: entry.tags,
            vary: entry.vary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waited_for_anothers_fetch_was_spared_one_and_what_bypassed_is_left_out() {
        let figures =
            CacheFigures { hits: 6, stale_hits: 1, collapsed: 1, misses: 2, bypassed: 100, ..CacheFigures::default() };
        assert_eq!(figures.hit_ratio(), Some(0.8));
        assert_eq!(CacheFigures::default().hit_ratio(), None);
    }

    #[test]
    fn a_wish_is_short_json() {
        let json = |wish| serde_json::to_string(&wish).expect("plain data");
        assert_eq!(json(PurgeWish::All), r#""all""#);
        assert_eq!(json(PurgeWish::Url("a/b".into())), r#"{"url":"a/b"}"#);
        assert_eq!(json(PurgeWish::Tag { app: "a".into(), tag: "b".into() }), r#"{"tag":{"app":"a","tag":"b"}}"#);
    }
}
