//! Driver: `stats`, as far as there is something to say: the node's connections and the bucket's keys and bytes on this node.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ringway_protocol::memcache::{Tokens, reply};
use ringway_protocol::resp::Out;
use ringway_rt::clock;

use crate::DataTier;
use crate::memcache::{LIMITS, server_error};

pub(super) async fn tell(tier: &Arc<DataTier>, bucket: &str, mut args: Tokens<'_>, out: &mut Out) {
    match args.next() {
        None => general(tier, bucket, out).await,
        Some(b"settings") => settings(tier, out),
        // What they are about is not there: slab classes, and connections of others.
        Some(b"items" | b"slabs" | b"sizes" | b"conns" | b"extstore") => reply::line(out, "END"),
        Some(b"reset") => reply::line(out, "RESET"),
        Some(b"detail") => reply::line(out, "CLIENT_ERROR usage: stats detail on|off|dump"),
        Some(b"cachedump") => reply::line(out, "CLIENT_ERROR stats cachedump not allowed"),
        Some(_) => reply::line(out, "ERROR"),
    }
}

async fn general(tier: &Arc<DataTier>, bucket: &str, out: &mut Out) {
    let (_, bucket) = match tier.bucket(bucket).await {
        Ok(found) => found,
        Err(error) => return reply::line(out, &server_error(&error.fail())),
    };
    let (usage, uses, stats) = (bucket.store().usage(), bucket.store().uses(), &tier.stats);
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let number = |counter: &std::sync::atomic::AtomicU64| count(counter).to_string();
    let own = &bucket.held.figures.memcache;
    let (get_hits, get_misses) = (uses.hits + count(&own.get_hits), uses.misses + count(&own.get_misses));
    let told = [
        ("pid", std::process::id().to_string()),
        ("uptime", tier.uptime().as_secs().to_string()),
        ("time", (clock::wall_ms() / 1000).to_string()),
        ("version", super::whole::VERSION.trim_start_matches("VERSION ").to_owned()),
        ("pointer_size", usize::BITS.to_string()),
        ("max_connections", tier.config.clients_max.to_string()),
        ("curr_connections", number(&stats.connections)),
        ("total_connections", number(&stats.connections_total)),
        ("cmd_get", (get_hits + get_misses).to_string()),
        ("cmd_set", number(&own.cmd_set)),
        ("cmd_flush", number(&own.cmd_flush)),
        ("cmd_touch", (count(&own.touch_hits) + count(&own.touch_misses)).to_string()),
        ("get_hits", get_hits.to_string()),
        ("get_misses", get_misses.to_string()),
        ("delete_misses", number(&own.delete_misses)),
        ("delete_hits", number(&own.delete_hits)),
        ("incr_misses", number(&own.incr_misses)),
        ("incr_hits", number(&own.incr_hits)),
        ("decr_misses", number(&own.decr_misses)),
        ("decr_hits", number(&own.decr_hits)),
        ("cas_misses", number(&own.cas_misses)),
        ("cas_hits", number(&own.cas_hits)),
        ("cas_badval", number(&own.cas_badval)),
        ("touch_hits", number(&own.touch_hits)),
        ("touch_misses", number(&own.touch_misses)),
        ("bytes_read", number(&stats.memcache_bytes_read)),
        ("bytes_written", number(&stats.memcache_bytes_written)),
        ("evictions", uses.evicted.to_string()),
        ("limit_maxbytes", bucket.store().limit().to_string()),
        ("bytes", usage.bytes.to_string()),
        ("curr_items", usage.keys.to_string()),
        ("total_items", number(&own.total_items)),
        ("threads", std::thread::available_parallelism().map_or(1, usize::from).to_string()),
    ];
    told.iter().for_each(|(name, value)| reply::stat(out, name, value));
    reply::line(out, "END");
}

fn settings(tier: &DataTier, out: &mut Out) {
    reply::stat(out, "maxconns", &tier.config.clients_max.to_string());
    reply::stat(out, "item_size_max", &LIMITS.value_len_max.to_string());
    reply::stat(out, "evictions", "on");
    reply::stat(out, "cas_enabled", "yes");
    reply::stat(out, "flush_enabled", "yes");
    reply::line(out, "END");
}
