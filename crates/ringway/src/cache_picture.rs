//! Core: the HTTP cache for people: a bar of what became of requests, what that has saved, and each node's share.

use std::time::Duration;

use ringway_control::api::{CacheEntries, CacheEntryView, CacheFigures, CacheOnNode, CacheView};
use ringway_manifest::show_duration;

use crate::output::{bar, bytes, count, counted, span, table};

const BAR_LEN: usize = 40;
const NODE_BAR_LEN: usize = 10;
/// Longer ones are cut.
const URL_LEN_MAX: usize = 60;
const WORDS_LEN_MAX: usize = 32;

pub fn draw_stats(view: &CacheView) -> String {
    let head = ["NODE", "HITS OF ALL", "HITS", "STALE", "WAITED", "MISSES", "BYPASSED", "MEMORY", "EVICTED", "PURGED"];
    let total = &view.total;
    format!(
        "{}\n  saved     {} of apps' time, {} of bodies\n  holds     {}, {} of {}\n\n{}{}",
        ratio(total),
        span(total.saved_ms),
        bytes(total.saved_bytes),
        counted(total.responses, "response"),
        bytes(total.bytes),
        bytes(total.bytes_limit),
        table(&head, view.nodes.iter().map(node_row)),
        missing(&view.missing),
    )
}

/// The whole of it is what the cache had to do with: █ answered without asking an app.
fn ratio(figures: &CacheFigures) -> String {
    let Some(ratio) = figures.hit_ratio() else {
        return "cache       no request could have been answered from it yet".to_owned();
    };
    format!("cache       {} {} answered without asking an app", bar(ratio, BAR_LEN), percent(ratio))
}

fn node_row(on_node: &CacheOnNode) -> Vec<String> {
    let figures = &on_node.figures;
    let hits =
        figures.hit_ratio().map_or("-".to_owned(), |ratio| format!("{} {}", bar(ratio, NODE_BAR_LEN), percent(ratio)));
    let full = figures.bytes as f64 / figures.bytes_limit as f64;
    let mut row = vec![on_node.node.name.clone(), hits];
    row.extend([figures.hits, figures.stale_hits, figures.collapsed, figures.misses, figures.bypassed].map(count));
    row.push(format!("{} {} of {}", bar(full, NODE_BAR_LEN), bytes(figures.bytes), bytes(figures.bytes_limit)));
    row.extend([figures.evicted, figures.purged].map(count));
    row
}

pub fn draw_entries(list: &CacheEntries) -> String {
    let head = ["URL", "STATUS", "BYTES", "AGE", "FRESH FOR", "USES", "NODE", "OWNER", "VARIES BY", "TAGS"];
    table(&head, list.entries.iter().map(entry_row)) + &missing(&list.missing)
}

fn entry_row(entry: &CacheEntryView) -> Vec<String> {
    let vary: Vec<String> = entry.vary.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    vec![
        short(&entry.url, URL_LEN_MAX),
        entry.status.to_string(),
        bytes(entry.bytes),
        seconds(entry.age_ms / 1000),
        fresh_for(entry.fresh_for_seconds),
        count(entry.uses),
        entry.node.clone(),
        entry.owner.clone().unwrap_or_else(|| "?".to_owned()),
        short(&vary.join("; "), WORDS_LEN_MAX),
        short(&entry.tags.join(" "), WORDS_LEN_MAX),
    ]
}

fn fresh_for(left: i64) -> String {
    if left >= 0 { seconds(left as u64) } else { format!("stale {}", seconds(left.unsigned_abs())) }
}

fn seconds(seconds: u64) -> String {
    if seconds == 0 { "0s".to_owned() } else { show_duration(Duration::from_secs(seconds)) }
}

fn missing(missing: &[(String, String)]) -> String {
    missing.iter().map(|(node, why)| format!("\nwithout {node}: {why}")).collect()
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// What comes from clients: no control characters, not too wide.
fn short(text: &str, len_max: usize) -> String {
    let mut short: String = text.chars().take(len_max).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(len_max).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
