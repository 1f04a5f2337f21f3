//! Driver: `GET /v1/buckets/{}/info`: a bucket with what all nodes say of it, and what that means in words.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringway_catalog::{Bucket, Catalog, NodeState};
use ringway_ports::KvStats;
use ringway_ring::{Holders, NodeId, Partition, partition_of};

use crate::api::{BucketInfo, BucketOnNode, NodeRef, Reach, ShareView};
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::promises::{Copies, words};
use crate::reply::{Reply, json};
use crate::request::Call;
use crate::resources::buckets::{self, Usage};
use crate::resources::status;
use crate::ring_state;

pub(crate) async fn show(control: Arc<Control>, call: Call) -> Reply {
    let catalog = control.catalog();
    let bucket = buckets::known(&catalog, call.param(0)?)?;
    let ask = |_| Ask::Bucket { bucket: bucket.name.clone() };
    let (answers, reports) = futures_util::join!(
        control.cluster.ask_all::<Option<KvStats>>(&catalog, ask),
        control.cluster.ask_all::<Report>(&catalog, |_| Ask::Report),
    );
    let usage = Usage::of(&reports);
    let holders = ring_state::holders(&catalog, &status::reports(reports));
    let rows = Rows::new(&holders, bucket);
    let nodes = nodes(&control, &rows, answers);
    json(&BucketInfo {
        words: words(&bucket.spec, rows.copies(&control, &catalog), &nodes),
        keys: nodes.iter().filter_map(|node| node.stats.as_ref()).map(|stats| stats.keys_primary).sum(),
        hit_ratio: hit_ratio(&nodes),
        bucket: buckets::with_url(&control, &catalog, bucket, usage.view(bucket)),
        nodes,
    })
}

/// Who holds the copies of each of the bucket's partitions, the acting primary first.
struct Rows(Vec<Vec<NodeId>>);

impl Rows {
    fn new(holders: &Holders, bucket: &Bucket) -> Self {
        let own = bucket.spec.together.then(|| partition_of(bucket.name.as_bytes()));
        let row = |partition: Partition| {
            let readers = holders.readers(partition).iter();
            readers.take(usize::from(bucket.spec.replicas)).copied().collect()
        };
        Self(Partition::all().filter(|partition| own.is_none_or(|own| own == *partition)).map(row).collect())
    }

    fn shares(&self) -> BTreeMap<NodeId, ShareView> {
        let mut shares = BTreeMap::<NodeId, ShareView>::new();
        for row in &self.0 {
            for (place, node) in row.iter().enumerate() {
                let share = shares.entry(*node).or_default();
                share.held += 1;
                share.primary += usize::from(place == 0);
            }
        }
        shares
    }

    fn copies(&self, control: &Control, catalog: &Catalog) -> Copies {
        let is_there = |node: &&NodeId| control.cluster.reach(**node) != Reach::Down;
        let reachable = |row: &Vec<NodeId>| row.iter().filter(is_there).count();
        Copies {
            nodes: catalog.nodes.values().filter(|node| node.state != NodeState::Leaving).count(),
            partitions: self.0.len(),
            short: self.0.iter().filter(|row| reachable(row) < row.len() || row.is_empty()).count(),
            lost: self.0.iter().filter(|row| reachable(row) == 0).count(),
        }
    }
}

/// By name, as people look for them.
fn nodes(control: &Control, rows: &Rows, answers: Vec<Answer<Option<KvStats>>>) -> Vec<BucketOnNode> {
    let shares = rows.shares();
    let on_node = |Answer { node, result }: Answer<Option<KvStats>>| BucketOnNode {
        reach: control.cluster.reach(node.id),
        share: shares.get(&node.id).copied().unwrap_or_default(),
        // A bucket that is not open there yet has nothing there.
        stats: result.ok().map(Option::unwrap_or_default),
        node,
    };
    let mut nodes: Vec<BucketOnNode> = answers.into_iter().map(on_node).collect();
    nodes.sort_by(|a, b| name(&a.node).cmp(name(&b.node)));
    nodes
}

fn name(node: &NodeRef) -> &str {
    &node.name
}

fn hit_ratio(nodes: &[BucketOnNode]) -> Option<f64> {
    let sum = |get: fn(&KvStats) -> u64| nodes.iter().filter_map(|node| node.stats.as_ref()).map(get).sum::<u64>();
    let (hits, misses) = (sum(|stats| stats.hits), sum(|stats| stats.misses));
    (hits + misses > 0).then(|| hits as f64 / (hits + misses) as f64)
}
