//! Driver: INFO. The lines that clients look for, and what a person wants to know of a bucket.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ringway_protocol::resp::Reply;

use crate::DataTier;
use crate::door::session::{REDIS_VERSION, mode, scope};
use crate::fail::Ran;

pub(super) async fn run(tier: &Arc<DataTier>, bucket: Option<&str>) -> Ran<Reply> {
    let Some(name) = bucket else { return Ok(Reply::Verbatim(String::new())) };
    let keys = tier.key_count(name, scope(tier)).await?;
    let (view, bucket) = tier.bucket(name).await?;
    let usage = bucket.store().usage();
    let read = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
    let stats = &tier.stats;
    Ok(Reply::Verbatim(format!(
        "# Server\r\nredis_version:{REDIS_VERSION}\r\nredis_mode:{}\r\nringway_version:{}\r\narch_bits:64\r\nnode_id:{}\r\n\
         \r\n# Clients\r\nconnected_clients:{}\r\nmaxclients:{}\r\n\
         \r\n# Memory\r\nused_memory:{}\r\nmaxmemory:{}\r\n\
         \r\n# Persistence\r\nloading:0\r\n\
         \r\n# Stats\r\ntotal_connections_received:{}\r\ntotal_commands_processed:{}\r\ntotal_commands_forwarded:{}\r\n\
         \r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n\
         \r\n# Cluster\r\ncluster_enabled:1\r\nlayout_epoch:{}\r\n\
         \r\n# Bucket\r\nbucket:{}\r\nconsistency:{}\r\nstorage:{}\r\nreplicas:{}\r\nlocal_keys:{}\r\nlocal_bytes:{}\r\n\
         \r\n# Keyspace\r\ndb0:keys={keys},expires=0,avg_ttl=0\r\n",
        mode(tier),
        env!("CARGO_PKG_VERSION"),
        tier.own,
        read(&stats.connections),
        tier.config.clients_max,
        usage.bytes,
        bucket.spec.limit.0,
        read(&stats.connections_total),
        read(&stats.commands),
        read(&stats.forwarded),
        view.holders.epoch(),
        bucket.name,
        bucket.spec.consistency,
        bucket.spec.storage,
        bucket.replicas(),
        usage.keys,
        usage.bytes,
    )))
}
