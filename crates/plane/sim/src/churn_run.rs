//! Driver: lookups under churn as the command line shows them: the figures of a [`Churn`], named as those of rings at rest.

use std::time::Duration;

use ringway_ring::chord::ChordConfig;
use serde::Serialize;

use crate::churn::{self, Churn};
use crate::cpu_time::thread_cpu_time;
use crate::statistics::Histogram;
use crate::world::{Tally, WorldConfig};

/// Every node is simulated whole, with its timers and messages.
pub const CHURNED_NODES_MAX: usize = 20_000;
pub const LOOKUPS_MAX: u64 = 100_000_000;
const NODES_MIN: usize = 2;
/// Of joins, and of leaves, a second and node: more, and hardly anybody stays for a round of stabilising.
const RATE_PER_NODE_MAX: f64 = 0.1;
/// Lookups a second of virtual time for each node, up to a total: so that a million take some minutes of it.
const ASKED_PER_NODE: f64 = 5.0;
const ASKED_MAX: f64 = 1000.0;
const WARM_UP: Duration = Duration::from_secs(60);
/// The proof is of lists of two or more.
const LIST_MIN: usize = 2;
const LIST_MAX: usize = 64;

/// A ring that nodes join and leave while others look keys up.
#[derive(Clone, Debug)]
pub struct ChurnRun {
    pub nodes: usize,
    /// Joins a second, and as many departures, half of them crashes.
    pub rate: f64,
    pub lookups: u64,
    /// Successors that each node keeps.
    pub list: usize,
    /// Of the finger tables.
    pub base: u32,
    /// As published: believes the predecessor of a key instead of asking the owner itself.
    pub plain: bool,
    pub seed: u64,
    /// Whether processor time is measured: the only figure that is not a function of the seed.
    pub timing: bool,
}

/// What came of it. Serialised for programs, in these words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChurnFigures {
    /// `fingers`, or `plain` for those of the published protocol.
    pub router: &'static str,
    pub nodes: usize,
    pub joins_per_second: f64,
    pub lookups: u64,
    pub hops_mean: f64,
    pub hops_p50: usize,
    pub hops_p99: usize,
    /// Ended with a node that did not own the key when it said so, or with a dead one.
    pub wrong: u64,
    /// No answer within ten seconds.
    pub lost: u64,
    /// The node that asked left or died first: in neither of the others, nor among the lookups.
    pub abandoned: u64,
    pub state_entries_per_node: f64,
    /// Null unless it was measured.
    pub lookups_per_cpu_second: Option<u64>,
    pub timeouts_mean: f64,
    /// Of virtual time.
    pub ms_p50: usize,
    pub ms_p99: usize,
    pub messages_per_node_second: f64,
    pub joined: u64,
    pub left: u64,
    pub crashed: u64,
    #[serde(skip)]
    pub hops: Histogram,
}

/// Why a run is refused, or could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} nodes cannot churn: take {NODES_MIN} to {CHURNED_NODES_MAX}; without --churn up to 16777216")]
    Nodes(usize),
    #[error("{0} lookups: take 1 to {LOOKUPS_MAX}")]
    Lookups(u64),
    #[error("{rate} joins a second are too many or too few for {nodes} nodes: take up to {most:.1}/s")]
    Rate { rate: f64, nodes: usize, most: f64 },
    #[error("successor lists of {0}: take {LIST_MIN} to {LIST_MAX}")]
    List(usize),
    #[error(transparent)]
    Churn(#[from] churn::Error),
}

impl ChurnRun {
    /// Refuses what cannot be run, before anything is built.
    pub fn check(&self) -> Result<(), Error> {
        let most = (self.nodes as f64 * RATE_PER_NODE_MAX).max(1.0);
        match self {
            Self { nodes, .. } if !(NODES_MIN..=CHURNED_NODES_MAX).contains(nodes) => Err(Error::Nodes(*nodes)),
            Self { lookups, .. } if !(1..=LOOKUPS_MAX).contains(lookups) => Err(Error::Lookups(*lookups)),
            Self { list, .. } if !(LIST_MIN..=LIST_MAX).contains(list) => Err(Error::List(*list)),
            Self { rate, nodes, .. } if !(*rate > 0.0 && *rate <= most) => {
                Err(Error::Rate { rate: *rate, nodes: *nodes, most })
            }
            _ => Ok(()),
        }
    }

    /// `progress` hears how many lookups have been asked.
    pub fn run(&self, progress: &mut dyn FnMut(u64)) -> Result<ChurnFigures, Error> {
        self.check()?;
        let churn = Churn {
            nodes: self.nodes,
            rate: self.rate,
            graceful: 0.5,
            lookups: self.lookups,
            lookups_per_second: (self.nodes as f64 * ASKED_PER_NODE).min(ASKED_MAX),
            warm_up: WARM_UP,
        };
        let chord = ChordConfig { successors: self.list, finger_base: self.base, ..ChordConfig::default() };
        let config = WorldConfig { seed: self.seed, chord, plain: self.plain, ..WorldConfig::default() };
        let mut cpu = Duration::ZERO;
        let (tally, entries) = churn.run_with(config, &mut |asked| {
            if self.timing && asked == 0 {
                cpu = thread_cpu_time();
            }
            progress(asked);
        })?;
        let spent = self.timing.then(|| thread_cpu_time() - cpu);
        Ok(self.figures(tally, entries, spent))
    }

    fn figures(&self, tally: Tally, entries: f64, spent: Option<Duration>) -> ChurnFigures {
        let speed = spent.map(|spent| tally.ended() as f64 / spent.as_secs_f64()).filter(|speed| speed.is_finite());
        ChurnFigures {
            router: if self.plain { "plain" } else { "fingers" },
            nodes: self.nodes,
            joins_per_second: self.rate,
            lookups: tally.ended(),
            hops_mean: tally.hops.mean(),
            hops_p50: tally.hops.percentile(0.5),
            hops_p99: tally.hops.percentile(0.99),
            wrong: tally.wrong + tally.dead_owner,
            lost: tally.lost,
            abandoned: tally.abandoned,
            state_entries_per_node: entries,
            lookups_per_cpu_second: speed.map(|speed| speed as u64),
            timeouts_mean: tally.timeouts.mean(),
            ms_p50: tally.milliseconds.percentile(0.5),
            ms_p99: tally.milliseconds.percentile(0.99),
            messages_per_node_second: tally.messages_per_node_second(),
            joined: tally.joined,
            left: tally.left,
            crashed: tally.crashed,
            hops: tally.hops,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> ChurnRun {
        let (list, base) = (16, 16);
        ChurnRun { nodes: 20, rate: 1.0, lookups: 2000, list, base, plain: false, seed: 1, timing: false }
    }

    #[test]
    fn no_answer_is_wrong_and_the_same_seed_gives_the_same_figures() {
        let figures = run().run(&mut |_| ()).unwrap();
        assert_eq!((figures.wrong, figures.lookups + figures.abandoned), (0, 2000), "{figures:?}");
        assert!(figures.hops_mean > 0.5 && figures.crashed > 0 && figures.state_entries_per_node > 5.0, "{figures:?}");
        assert_eq!(figures, run().run(&mut |_| ()).unwrap());
        let plain = ChurnRun { plain: true, ..run() }.run(&mut |_| ()).unwrap();
        assert!(plain.wrong > 0, "the published protocol must be found wrong: {plain:?}");
    }

    #[test]
    fn what_cannot_be_churned_is_refused_in_words() {
        for wrong in [
            ChurnRun { nodes: 1, ..run() },
            ChurnRun { nodes: 1_000_000, ..run() },
            ChurnRun { lookups: 0, ..run() },
            ChurnRun { rate: 100.0, ..run() },
            ChurnRun { list: 1, ..run() },
        ] {
            let text = wrong.check().unwrap_err().to_string();
            assert!(text.contains("take "), "{text}");
        }
    }
}
