//! Driver: what is said to all nodes about a bucket: messages for those who listen there, and scripts.
//!
//! Nodes that are not reachable are left out, and so are those that do not answer in time: a message reaches who listens now, and a
//! script that a node has not heard of is asked for when it is needed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use ringway_ports::Priority;
use ringway_rt::clock::wall_ms;
use ringway_script::{Script, Sha};
use serde::{Deserialize, Serialize};

use crate::DataTier;
use crate::bucket::Bucket;
use crate::message::{DataReply, DataRequest};
use crate::pubsub::{Names, Publication};

const DEADLINE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Tell {
    /// For who listens there; how many did is the number that comes back.
    Publish(Publication),
    /// Which names of these have listeners? Patterns if so, else channels, or shard channels.
    Names {
        is_sharded: bool,
        are_patterns: bool,
        fitting: Option<Bytes>,
    },
    /// How many listen to each?
    Counts {
        is_sharded: bool,
        channels: Vec<Bytes>,
    },
    /// Keep this script.
    Script(Bytes),
    /// Have you the script with this SHA-1 (as hexadecimal digits)?
    AskScript(Bytes),
    ForgetScripts,
}

/// What one node says to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) items: Vec<Bytes>,
    pub(crate) numbers: Vec<u64>,
}

impl Tell {
    /// About how long it is.
    pub(crate) fn len(&self) -> usize {
        match self {
            Tell::Publish(said) => said.channel.len() + said.message.len(),
            Tell::Counts { channels, .. } => channels.iter().map(|channel| channel.len() + 4).sum(),
            Tell::Script(body) => body.len(),
            Tell::Names { .. } | Tell::AskScript(_) | Tell::ForgetScripts => 64,
        }
    }
}

fn names_of(is_sharded: bool, are_patterns: bool) -> Names {
    match (is_sharded, are_patterns) {
        (_, true) => Names::Patterns,
        (true, false) => Names::Shards,
        (false, false) => Names::Channels,
    }
}

/// What this node says to it.
pub(crate) fn say(bucket: &Bucket, tell: Tell) -> Said {
    let (pubsub, scripts) = (&bucket.held.pubsub, &bucket.held.scripts);
    match tell {
        Tell::Publish(said) => Said { numbers: vec![pubsub.deliver(&said, wall_ms())], ..Said::default() },
        Tell::Names { is_sharded, are_patterns, fitting } => {
            let names = names_of(is_sharded, are_patterns);
            Said { items: pubsub.names(names, fitting.as_deref()), ..Said::default() }
        }
        Tell::Counts { is_sharded, channels } => {
            Said { numbers: pubsub.counts(names_of(is_sharded, false), &channels), ..Said::default() }
        }
        Tell::Script(body) => {
            // Who says it has compiled it. One that does not fit is not kept there either.
            if let Ok(script) = Script::new(body) {
                let _kept = scripts.insert(script);
            }
            Said::default()
        }
        Tell::AskScript(sha) => {
            let known = Sha::from_hex(&sha).and_then(|sha| scripts.get(&sha));
            Said { items: known.map(|script| script.body().clone()).into_iter().collect(), ..Said::default() }
        }
        Tell::ForgetScripts => {
            scripts.flush();
            Said::default()
        }
    }
}

impl DataTier {
    /// What the other nodes say to it: those that do.
    pub(crate) async fn tell_others(&self, bucket: &Arc<Bucket>, tell: Tell) -> Vec<Said> {
        let peers = self.view().reachable_peers();
        if peers.is_empty() {
            return Vec::new();
        }
        let request = DataRequest::Tell { bucket: Cow::Borrowed(&bucket.name), tell };
        let calls = peers.into_iter().map(|node| self.call_data(node, Priority::Client, &request, DEADLINE));
        let replies = join_all(calls).await;
        replies
            .into_iter()
            .filter_map(|reply| match reply {
                Ok(DataReply::Said(said)) => Some(said),
                _ => None,
            })
            .collect()
    }

    /// The same, with what this node says.
    pub(crate) async fn tell_all(&self, bucket: &Arc<Bucket>, tell: Tell) -> Vec<Said> {
        let own = say(bucket, tell.clone());
        let mut all = self.tell_others(bucket, tell).await;
        all.push(own);
        all
    }
}
