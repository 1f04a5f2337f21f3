//! Core: a bucket for people: its settings, what it promises and may lose, and how each node stands, with bars.

use std::time::Duration;

use ringway_control::api::{BucketInfo, BucketOnNode, BucketView, Reach};
use ringway_manifest::{Durability, Storage, show_duration};
use ringway_ports::KvStats;

use crate::output::{bar, bytes, count, counted, table};

const BAR_LEN: usize = 10;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

pub struct BucketPicture<'a> {
    pub info: &'a BucketInfo,
    pub colour: bool,
}

impl BucketPicture<'_> {
    pub fn draw(&self) -> String {
        let info = self.info;
        let mut text = format!("bucket {}  {}", info.bucket.name, settings(&info.bucket));
        text += &info.bucket.app.as_ref().map(|app| format!("\n  of app    {app}")).unwrap_or_default();
        text += &info.bucket.url.as_ref().map(|url| format!("\n  url       {url}")).unwrap_or_default();
        text += &format!("\n  holds     {}", self.holds());
        text += &quotas(&info.bucket);
        text += &list("promises", &info.words.promises);
        text += &list("may lose", &info.words.may_lose);
        text += &list(&self.paint(if info.words.is_well { GREEN } else { YELLOW }, "now"), &info.words.now);
        text + "\n\n" + &self.memory() + "\n\n" + &self.events()
    }

    fn holds(&self) -> String {
        let bucket = &self.info.bucket;
        let keys = match self.info.keys {
            Some(keys) => counted(keys, "key"),
            None => counted(bucket.keys_held, "key") + " with all copies",
        };
        let missing = match bucket.nodes_missing {
            0 => String::new(),
            1 => "  (without 1 node that does not answer)".to_owned(),
            many => format!("  (without {many} nodes that do not answer)"),
        };
        let hits = self.info.hit_ratio.map(|ratio| format!(", {} of reads find their key", percent(ratio)));
        format!("{keys}, {} with all copies{}{missing}", bytes(bucket.bytes_held), hits.unwrap_or_default())
    }

    /// Of each node: its part of the ring, how full it is, how well it is used.
    fn memory(&self) -> String {
        let head = ["NODE", "STATE", "FIRST", "COPIES", "KEYS", "MEMORY OF ITS SHARE OF THE LIMIT", "HITS"];
        table(&head, self.info.nodes.iter().map(|node| self.memory_row(node)))
    }

    fn memory_row(&self, node: &BucketOnNode) -> Vec<String> {
        let known = |show: fn(&KvStats) -> String| node.stats.as_ref().map_or("?".to_owned(), show);
        vec![
            node.node.name.clone(),
            reach(node.reach).to_owned(),
            node.share.primary.to_string(),
            (node.share.held - node.share.primary.min(node.share.held)).to_string(),
            known(|stats| count(stats.keys)),
            known(fill),
            known(hits),
        ]
    }

    /// What has happened since the nodes opened the bucket.
    fn events(&self) -> String {
        let head = ["NODE", "COMMANDS", "REFUSED", "CLIENTS", "EVICTED", "EXPIRED", "OWES WRITES", "STALE"];
        table(&head, self.info.nodes.iter().map(|node| self.events_row(node)))
    }

    fn events_row(&self, node: &BucketOnNode) -> Vec<String> {
        let mut row = vec![node.node.name.clone()];
        let Some(stats) = &node.stats else {
            row.extend(["?"; 7].map(str::to_owned));
            return row;
        };
        row.extend([stats.ops, stats.ops_refused + stats.connections_refused, stats.connections].map(count));
        row.extend([stats.evicted, stats.expired].map(count));
        row.push(self.owes(stats));
        row.push(stats.staleness_ms.map_or("-".to_owned(), stale));
        row
    }

    fn owes(&self, stats: &KvStats) -> String {
        let name = |id| self.info.nodes.iter().find(|node| node.node.id == id).map_or("?", |node| &node.node.name);
        match stats.behind.as_slice() {
            [] => "-".to_owned(),
            owed => owed.iter().map(|(id, _)| name(*id)).collect::<Vec<_>>().join(" "),
        }
    }

    fn paint(&self, colour: u8, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// In one line, as in a manifest.
pub fn settings(bucket: &BucketView) -> String {
    let copies = if bucket.replicas == 1 { "1 copy".to_owned() } else { format!("{} copies", bucket.replicas) };
    let mut words = vec![bucket.consistency.to_string(), copies, storage(bucket)];
    words.extend(bucket.together.then(|| "together".to_owned()));
    words.push(format!("limit {}", bytes(bucket.limit_bytes)));
    words.push(format!("ttl {}", ttl(bucket)));
    words.join(", ")
}

pub fn storage(bucket: &BucketView) -> String {
    match (bucket.storage, bucket.durability) {
        (Storage::Memory, _) => "memory".to_owned(),
        (Storage::Disk, Durability::Memory) => "disk (later)".to_owned(),
        (Storage::Disk, durability) => format!("disk ({durability})"),
    }
}

pub fn ttl(bucket: &BucketView) -> String {
    bucket.ttl_ms.map_or("none".to_owned(), |ttl| show_duration(Duration::from_millis(ttl)))
}

/// Only if there are any.
fn quotas(bucket: &BucketView) -> String {
    let ops = bucket.ops_per_second.map(|ops| format!("{ops} commands a second"));
    let connections = bucket.connections.map(|connections| format!("{connections} connections"));
    let words: Vec<String> = ops.into_iter().chain(connections).collect();
    if words.is_empty() { String::new() } else { format!("\n  takes     {} on each node", words.join(" and ")) }
}

fn list(title: &str, sentences: &[String]) -> String {
    let lines: String = sentences.iter().map(|sentence| format!("\n  - {sentence}")).collect();
    format!("\n{title}{lines}")
}

fn fill(stats: &KvStats) -> String {
    if stats.limit == 0 {
        return bytes(stats.bytes);
    }
    let share = stats.bytes as f64 / stats.limit as f64;
    format!("{} {} of {}", bar(share, BAR_LEN), bytes(stats.bytes), bytes(stats.limit))
}

fn hits(stats: &KvStats) -> String {
    let reads = stats.hits + stats.misses;
    if reads == 0 {
        return "-".to_owned();
    }
    let ratio = stats.hits as f64 / reads as f64;
    format!("{} {}", bar(ratio, BAR_LEN), percent(ratio))
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

fn stale(ms: u64) -> String {
    if ms == 0 { "<1ms".to_owned() } else { show_duration(Duration::from_millis(ms)) }
}

fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Up => "up",
        Reach::Suspect => "suspect",
        Reach::Down => "down",
    }
}

#[cfg(test)]
mod tests;
