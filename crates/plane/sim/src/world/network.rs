//! Core: the network between the nodes of a world: how long a message takes, whether it is lost, who is cut off from whom.

use std::time::Duration;

use rand::RngExt;

use crate::random::Generator;

/// How many groups of nodes can be told apart when the network is cut.
pub const GROUPS_MAX: usize = 8;

/// What the network does to every message.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// No message is faster.
    pub delay_least: Duration,
    /// What comes on top of it: `spread * u^3` for a uniform u, so a quarter of it on average, with a long tail. So messages overtake
    /// each other.
    pub delay_spread: Duration,
    /// The share of messages that is lost.
    pub loss: f64,
    /// The share of messages that arrives twice.
    pub doubled: f64,
}

impl Default for NetworkConfig {
    /// 20 to 140 ms, 50 ms on average, as in the Chord paper.
    fn default() -> Self {
        Self {
            delay_least: Duration::from_millis(20),
            delay_spread: Duration::from_millis(120),
            loss: 0.0,
            doubled: 0.0,
        }
    }
}

/// The state of the network.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) config: NetworkConfig,
    cuts: [[bool; GROUPS_MAX]; GROUPS_MAX],
}

impl Network {
    pub(super) fn new(config: NetworkConfig) -> Self {
        Self { config, cuts: [[false; GROUPS_MAX]; GROUPS_MAX] }
    }

    /// After how long the copies of one message arrive: one, none or two.
    pub(super) fn send(&self, random: &mut Generator) -> [Option<Duration>; 2] {
        let first = (!self.happens(self.config.loss, random)).then(|| self.delay(random));
        let second = self.happens(self.config.doubled, random).then(|| self.delay(random));
        [first, second]
    }

    /// From now on nothing from one group arrives in the other; the way back is another cut.
    pub(super) fn cut(&mut self, from: usize, to: usize) {
        self.cuts[from][to] = true;
    }

    pub(super) fn heal(&mut self) {
        self.cuts = [[false; GROUPS_MAX]; GROUPS_MAX];
    }

    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts[from][to]
    }

    pub(super) fn is_whole(&self) -> bool {
        self.cuts.iter().flatten().all(|cut| !cut)
    }

    fn happens(&self, share: f64, random: &mut Generator) -> bool {
        share > 0.0 && random.random::<f64>() < share
    }

    fn delay(&self, random: &mut Generator) -> Duration {
        let uniform: f64 = random.random();
        let spread = self.config.delay_spread.as_nanos() as f64 * uniform * uniform * uniform;
        self.config.delay_least + Duration::from_nanos(spread as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;

    #[test]
    fn delays_and_losses_are_those_asked_for() {
        let network = Network::new(NetworkConfig { loss: 0.1, ..NetworkConfig::default() });
        let mut random = generator(1, 1);
        let arrivals: Vec<Duration> = (0..100_000).filter_map(|_| network.send(&mut random)[0]).collect();
        let mean = arrivals.iter().sum::<Duration>().as_secs_f64() / arrivals.len() as f64;
        assert!((0.049..0.051).contains(&mean), "{mean}");
        assert!((89_000..91_000).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.iter().all(|delay| *delay >= Duration::from_millis(20)));
    }

    #[test]
    fn a_cut_has_a_direction_until_it_heals() {
        let mut network = Network::new(NetworkConfig::default());
        network.cut(0, 1);
        assert!(network.is_cut(0, 1) && !network.is_cut(1, 0) && !network.is_whole());
        network.heal();
        assert!(!network.is_cut(0, 1) && network.is_whole());
    }
}
