use proptest::prelude::*;

use super::*;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

struct World {
    limit: ConcurrencyLimit,
    now: Duration,
}

impl World {
    fn new() -> Self {
        Self { limit: ConcurrencyLimit::new(Config::default()), now: Duration::ZERO }
    }

    /// Windows of 100 ms in which `used` (of the limit) are in flight and each takes what `latency` makes of that.
    fn run(&mut self, windows: u32, used: f64, latency: impl Fn(f64) -> Duration) {
        for _ in 0..windows * 20 {
            self.now += millis(5);
            let in_flight = f64::from(self.limit.limit()) * used;
            self.limit.note(self.now, latency(in_flight), in_flight as u32, Served::Well);
        }
    }
}

/// Without a queue 10 ms, for up to `capacity` at a time.
fn server(capacity: f64) -> impl Fn(f64) -> Duration {
    move |in_flight| Duration::from_secs_f64(0.010 * (in_flight / capacity).max(1.0))
}

#[test]
fn while_there_is_no_queue_it_grows_to_what_the_service_can_do_and_a_little_more() {
    let mut world = World::new();
    world.run(80, 1.0, server(200.0));
    let limit = world.limit.limit();
    assert!((250..360).contains(&limit), "{limit}");
}

#[test]
fn what_is_not_used_does_not_grow() {
    let mut world = World::new();
    world.run(300, 0.3, server(200.0));
    assert_eq!(world.limit.limit(), 20);
}

#[test]
fn a_lasting_queue_is_not_learnt_as_normal() {
    let mut world = World::new();
    world.run(3_000, 1.0, server(50.0));
    let limit = world.limit.limit();
    assert!((60..100).contains(&limit), "five minutes of overload: {limit}");
    assert!(world.limit.base() < Some(millis(13)), "{:?}", world.limit.base());
}

#[test]
fn a_service_that_gets_slower_for_good_is_not_strangled() {
    let mut world = World::new();
    // Its base has just been measured again.
    world.run(120, 1.0, server(50.0));
    // As many at a time as before, each takes ten times as long.
    let slow = |in_flight: f64| server(50.0)(in_flight) * 10;
    world.run(50, 1.0, slow);
    assert!(world.limit.base() > Some(millis(80)), "found out within seconds: {:?}", world.limit.base());
    world.run(250, 1.0, slow);
    let limit = world.limit.limit();
    assert!((50..100).contains(&limit), "{limit}");
    world.run(100, 1.0, server(50.0));
    assert!((50..100).contains(&world.limit.limit()), "fast again: {}", world.limit.limit());
}

#[test]
fn a_service_that_says_that_it_has_too_much_gets_less_and_one_timeout_among_many_is_nothing() {
    let mut world = World::new();
    for _ in 0..10 {
        world.run(1, 1.0, server(20.0));
        world.limit.note(world.now, millis(10), 20, Served::Overloaded);
    }
    let few = world.limit.limit();
    assert!(few > 20, "{few}");
    for _ in 0..400 {
        world.now += millis(10);
        world.limit.note(world.now, millis(10), 20, Served::Overloaded);
    }
    assert_eq!(world.limit.limit(), 4, "not below the least");
}

#[test]
fn a_base_that_was_first_measured_with_a_queue_is_put_right_at_once() {
    let mut world = World::new();
    world.run(5, 1.0, server(4.0));
    let base = world.limit.base().expect("measured");
    assert!(base < millis(20), "20 at a time take 50 ms: {base:?}");
}

#[test]
fn when_nothing_is_answered_while_the_base_is_measured_the_limit_comes_back() {
    let mut world = World::new();
    world.run(1, 1.0, server(100.0));
    assert_eq!(world.limit.limit(), 7, "the first base is measured at once");
    for _ in 0..30 {
        world.now += millis(100);
        world.limit.note(world.now, millis(1), 7, Served::Otherwise);
    }
    assert_eq!(world.limit.limit(), 22);
}

#[test]
fn cancelled_requests_say_nothing() {
    let mut world = World::new();
    for _ in 0..1_000 {
        world.now += millis(5);
        world.limit.note(world.now, millis(1), 20, Served::Otherwise);
    }
    assert_eq!((world.limit.limit(), world.limit.base()), (20, None));
}

proptest! {
    #[test]
    fn whatever_is_noted_the_limit_stays_in_its_bounds(
        notes in prop::collection::vec((0..3_000_u64, 0..100_000_u64, 0..5_000_u32, 0..20_u8), 1..2_000),
    ) {
        let mut limit = ConcurrencyLimit::new(Config { min: 3, max: 50, ..Config::default() });
        let mut now = Duration::from_secs(1_000);
        for (gap, took, in_flight, served) in notes {
            now += millis(gap);
            let served = [Served::Overloaded, Served::Otherwise].get(usize::from(served)).copied();
            limit.note(now, millis(took), in_flight, served.unwrap_or(Served::Well));
            // While the base is measured a third is let through.
            prop_assert!((1..=50).contains(&limit.limit()), "{}", limit.limit());
        }
    }
}
