//! A node that cannot keep up, with nothing but its own delays to go by.

use std::time::Duration;

use ringway_balance::draws::Draws;
use ringway_balance::load_shed::{Config, LoadShed, Priority};

use crate::server::{Server, percentile, until_next};

/// A processor that needs a millisecond for a request, and half a tenth of one to refuse it.
struct World {
    node: Server,
    shed: LoadShed,
    draws: Draws,
    now: Duration,
}

impl World {
    /// Served a second, and the delays of those that were.
    fn run(&mut self, seconds: u64, per_second: f64) -> (f64, Vec<Duration>) {
        let until = self.now + Duration::from_secs(seconds);
        let mut delays = Vec::new();
        while self.now < until {
            self.now += until_next(per_second, &mut self.draws);
            let delay = self.node.delay(self.now);
            // It is looked at when its turn has come, as the delay is only known then.
            let begun = self.now + delay;
            self.shed.note_delay(begun, delay);
            if self.shed.ask(begun, Priority::Normal, self.draws.number()).is_ok() {
                self.node.serve(self.now, 1.0, &mut self.draws);
                delays.push(delay);
            }
        }
        (delays.len() as f64 / seconds as f64, delays)
    }
}

#[test]
fn three_times_too_much_is_cut_to_what_the_node_can_do_and_delays_stay_short() {
    let node = Server::new(1, Duration::from_millis(1));
    let mut world = World { node, shed: LoadShed::new(Config::default()), draws: Draws::new(3), now: Duration::ZERO };
    let (served, mut delays) = world.run(30, 600.0);
    assert!(served > 590.0, "below capacity nobody is refused: {served}");
    assert!(percentile(&mut delays, 0.99) < Duration::from_millis(15));
    world.run(10, 3_000.0);
    let (served, mut delays) = world.run(60, 3_000.0);
    let p99 = percentile(&mut delays, 0.99);
    println!("{served} a second, p50 {:?}, p99 {p99:?}", percentile(&mut delays, 0.5));
    assert!(served > 900.0, "{served}");
    assert!(p99 < Duration::from_millis(200), "{p99:?}");
    world.run(10, 600.0);
    let (served, _) = world.run(30, 600.0);
    assert!(served > 590.0, "all are admitted again: {served}");
}
