//! Core: what a world is made of.

use std::time::Duration;

use ringway_ring::chord::ChordConfig;

use super::NetworkConfig;

#[derive(Clone, Debug)]
pub struct WorldConfig {
    pub seed: u64,
    /// Of every node; the seeds in it are made from the world's.
    pub chord: ChordConfig,
    pub network: NetworkConfig,
    pub detection: Detection,
    /// A lookup that has found nobody by then is lost.
    pub lookup_deadline: Duration,
    /// Lookups believe the predecessor of a key, as in the published protocol, instead of asking the owner itself.
    pub plain: bool,
    /// How many lines of what happened are kept.
    pub trace_lines: usize,
}

/// The failure detector: gossip beside the ring (SWIM in a live node).
#[derive(Clone, Debug)]
pub struct Detection {
    /// Every node hears of a death after a time between these, each node after its own. Nobody does, if this is none.
    pub down_after: Option<(Duration, Duration)>,
    /// How often each node is told who seems to be alive. Never, if this is none.
    pub members_every: Option<Duration>,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            chord: ChordConfig::default(),
            network: NetworkConfig::default(),
            detection: Detection::default(),
            lookup_deadline: Duration::from_secs(10),
            plain: false,
            trace_lines: 0,
        }
    }
}

impl Default for Detection {
    fn default() -> Self {
        Self {
            down_after: Some((Duration::from_millis(500), Duration::from_secs(2))),
            members_every: Some(Duration::from_secs(5)),
        }
    }
}
