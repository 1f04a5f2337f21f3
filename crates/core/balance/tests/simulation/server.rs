//! A model of a service: so many workers, one queue, first come first served.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use ringway_balance::draws::Draws;

pub struct Server {
    /// When each worker is free again.
    free_at: BinaryHeap<Reverse<Duration>>,
    pub service_time: Duration,
    /// How much service times differ: 0 is not at all, 1 as an exponential distribution does.
    pub spread: f64,
}

impl Server {
    pub fn new(workers: usize, service_time: Duration) -> Self {
        Self { free_at: (0..workers).map(|_| Reverse(Duration::ZERO)).collect(), service_time, spread: 0.5 }
    }

    /// When a request that comes now is answered, which is so many times the usual work.
    pub fn serve(&mut self, now: Duration, work: f64, draws: &mut Draws) -> Duration {
        let Reverse(free_at) = self.free_at.pop().expect("there are workers");
        let factor = 1.0 - self.spread + self.spread * -(1.0 - draws.unit()).ln();
        let done = free_at.max(now) + self.service_time.mul_f64(factor * work);
        self.free_at.push(Reverse(done));
        done
    }

    /// How long the queue is, in time.
    pub fn delay(&self, now: Duration) -> Duration {
        self.free_at.peek().map_or(Duration::ZERO, |Reverse(free_at)| free_at.saturating_sub(now))
    }
}

/// The time until the next of many clients that do not know of each other comes.
pub fn until_next(per_second: f64, draws: &mut Draws) -> Duration {
    Duration::from_secs_f64(-(1.0 - draws.unit()).ln() / per_second)
}

/// What has been measured, sorted.
pub fn percentile(measured: &mut [Duration], share: f64) -> Duration {
    measured.sort_unstable();
    let at = (measured.len() as f64 * share) as usize;
    measured.get(at.min(measured.len().saturating_sub(1))).copied().unwrap_or_default()
}
