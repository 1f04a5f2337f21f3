//! Driver: answers what other nodes (and this one) ask for the admin API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use ringway_catalog::LAYOUT_REPLICAS;
use ringway_ports::{ControlLog, HttpCache, Instances, Kv, LogLine, PeerHandler, Ring, VirtualNodeView};
use ringway_ring::NodeId;
use serde::Serialize;

use crate::api::RequestRates;
use crate::log_tail::LogTail;
use crate::peer_messages::{
    Ask, BucketUsage, CACHE_ENTRIES_MAX, CHANGES_WITHIN_MAX, Fetch, INSTANCES_MAX, LINES_BYTES_MAX, LINES_MAX,
    OwnPlace, PartitionLoad, Report, TOP_MAX,
};

pub(crate) struct PeerService {
    pub(crate) own: NodeId,
    pub(crate) version: String,
    pub(crate) started_ms: u64,
    pub(crate) control_log: Arc<dyn ControlLog>,
    pub(crate) instances: Arc<dyn Instances>,
    pub(crate) kv: Arc<dyn Kv>,
    pub(crate) cache: Arc<dyn HttpCache>,
    pub(crate) request_rate: Arc<dyn Fn() -> (u64, Vec<u64>) + Send + Sync>,
    pub(crate) memory: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub(crate) transfer_progress: Arc<dyn Fn() -> Option<(u64, u64)> + Send + Sync>,
    pub(crate) fetches: Arc<dyn Fn() -> Vec<Fetch> + Send + Sync>,
    pub(crate) partition_loads: Arc<dyn Fn() -> Vec<PartitionLoad> + Send + Sync>,
    pub(crate) ring: Arc<dyn Ring>,
    pub(crate) tail: Arc<LogTail>,
}

impl PeerService {
    /// At once, but for what the data tier has to look up.
    pub(crate) fn answer(&self, ask: &Ask) -> BoxFuture<'static, Result<Bytes, String>> {
        match ask {
            Ask::Top { bucket, count } => {
                let top = self.kv.top(bucket, (*count).min(TOP_MAX));
                Box::pin(async move { encoded(&top.await.map_err(|error| error.to_string())?) })
            }
            Ask::Changes { bucket, pattern, from, within_ms } => {
                let within = Duration::from_millis(*within_ms).min(CHANGES_WITHIN_MAX);
                let changes = self.kv.changes(bucket, pattern.clone(), *from, within);
                Box::pin(async move { encoded(&changes.await.map_err(|error| error.to_string())?) })
            }
            other => Box::pin(std::future::ready(self.answer_now(other))),
        }
    }

    fn answer_now(&self, ask: &Ask) -> Result<Bytes, String> {
        match ask {
            Ask::Ping => encoded(&()),
            Ask::Report => encoded(&self.report()),
            Ask::Loads => encoded(&(self.partition_loads)()),
            Ask::Logs { app, lines } => {
                encoded(&within_bytes(self.instances.recent_logs(app, (*lines).min(LINES_MAX))))
            }
            Ask::Tail { app, after, lines } => encoded(&self.tail.read(app, *after, *lines)),
            Ask::Bucket { bucket } => encoded(&self.kv.stats(bucket)),
            Ask::Cache => encoded(&self.cache.stats()),
            Ask::CacheEntries { pattern, count } => encoded(&self.cache.list(pattern, (*count).min(CACHE_ENTRIES_MAX))),
            Ask::Top { .. } | Ask::Changes { .. } => Err("the data tier is asked for these".to_owned()),
        }
    }

    fn report(&self) -> Report {
        let (until_s, counts) = (self.request_rate)();
        let mut instances = self.instances.list();
        instances.truncate(INSTANCES_MAX);
        Report {
            version: self.version.clone(),
            started_ms: self.started_ms,
            memory_bytes: (self.memory)(),
            rates: RequestRates { until_s, counts },
            instances,
            transfer: (self.transfer_progress)(),
            usage: self.usage(),
            fetches: (self.fetches)(),
            places: self.places(),
        }
    }

    fn places(&self) -> Vec<OwnPlace> {
        let catalog = self.control_log.catalog();
        let is_known = |node: &NodeId| catalog.nodes.contains_key(node);
        self.ring.virtual_nodes().into_iter().map(|view| own_place(self.own, view, is_known)).collect()
    }

    fn usage(&self) -> Vec<BucketUsage> {
        let catalog = self.control_log.catalog();
        let usage = |bucket: &String| {
            let (keys, bytes) = self.kv.usage(bucket)?;
            Some(BucketUsage { bucket: bucket.clone(), keys, bytes })
        };
        catalog.buckets.keys().filter_map(usage).collect()
    }
}

impl PeerHandler for PeerService {
    fn handle(&self, _from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        match serde_json::from_slice::<Ask>(&body) {
            Ok(ask) => self.answer(&ask),
            Err(error) => {
                let text = format!("not a question that this version of Ringway knows: {error}");
                Box::pin(std::future::ready(Err(text)))
            }
        }
    }
}

/// Copies are kept on the next different nodes.
fn own_place(own: NodeId, view: VirtualNodeView, known: impl Fn(&NodeId) -> bool) -> OwnPlace {
    let mut owners = vec![own];
    for successor in view.successors.iter().filter(|successor| known(&successor.node)) {
        if owners.len() < LAYOUT_REPLICAS && !owners.contains(&successor.node) {
            owners.push(successor.node);
        }
    }
    OwnPlace { point: view.point, after: view.arc.map(|arc| arc.after), owners }
}

fn encoded(value: &impl Serialize) -> Result<Bytes, String> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| format!("an answer could not be written: {error}"))
}

/// The last lines that fit.
fn within_bytes(mut lines: Vec<LogLine>) -> Vec<LogLine> {
    let mut bytes = 0;
    let fitting = lines.iter().rev().take_while(|line| {
        bytes += line.text.len();
        bytes <= LINES_BYTES_MAX
    });
    let surplus = lines.len() - fitting.count();
    lines.drain(..surplus);
    lines
}
