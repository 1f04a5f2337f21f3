//! Driver: the queues of keys that a client waits for, here and at other nodes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringway_ports::Priority;
use ringway_ring::NodeId;

use crate::DataTier;
use crate::bucket::Bucket;
use crate::message::{DataReply, DataRequest};
use crate::waiters::Waiting;

/// How long another node keeps somebody in its queue before it is asked again.
pub(crate) const QUEUE_TIME: Duration = Duration::from_secs(4);
const CALL_DEADLINE: Duration = Duration::from_secs(6);

/// A place in the queues of one node.
pub(crate) enum Queue<'a> {
    Here(Waiting<'a>),
    At { tier: &'a DataTier, node: NodeId, bucket: Arc<Bucket>, keys: Vec<Bytes> },
}

impl DataTier {
    /// Queues up for these keys at the nodes that execute them. Those elsewhere are joined when they are waited for: who is
    /// asked looks for itself whether there is something.
    pub(crate) fn queue_up<'a>(&'a self, bucket: &Arc<Bucket>, keys: &[Bytes]) -> Vec<Queue<'a>> {
        let view = self.view();
        let mut by_node: BTreeMap<NodeId, Vec<Bytes>> = BTreeMap::new();
        for key in keys {
            if let Some(node) = view.acting(bucket.partition_of(key), bucket.replicas()) {
                by_node.entry(node).or_default().push(key.clone());
            }
        }
        let queue = |(node, keys): (NodeId, Vec<Bytes>)| match node == self.own {
            true => Queue::Here(self.waiters.queue_up(&bucket.name, &keys)),
            false => Queue::At { tier: self, node, bucket: bucket.clone(), keys },
        };
        by_node.into_iter().map(queue).collect()
    }

    /// For another node's client: returns when there is or may be something in one of these keys, or when it has waited enough.
    pub(crate) async fn serve_queue(&self, bucket: &Arc<Bucket>, keys: Vec<Bytes>) -> bool {
        let waiting = self.waiters.queue_up(&bucket.name, &keys);
        let (scene, mut written) = (self.scene(bucket, None), crate::call::Written::default());
        for key in &keys {
            let partition = bucket.partition_of(key);
            let found = crate::call::Keys::lock(partition, &scene, &mut written).exists(key);
            if found.unwrap_or(true) {
                return true;
            }
        }
        tokio::time::timeout(QUEUE_TIME, waiting.told()).await.is_ok()
    }
}

impl Queue<'_> {
    /// Completes when it is worth trying.
    pub(crate) async fn told(self) {
        match self {
            Queue::Here(waiting) => waiting.told().await,
            Queue::At { tier, node, bucket, keys } => {
                let request = DataRequest::QueueUp { bucket: Cow::Borrowed(&bucket.name), keys };
                let answer = tier.call_data(node, Priority::Client, &request, CALL_DEADLINE).await;
                if !matches!(answer, Ok(DataReply::Told(true))) {
                    // It is tried again when the time for that has come.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}
