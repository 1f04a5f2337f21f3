use super::*;

struct Endpoint {
    index: u32,
    share: f64,
    turn: Option<u64>,
}

impl Taker for Endpoint {
    fn share(&self) -> f64 {
        self.share
    }

    fn turn(&mut self) -> &mut Option<u64> {
        &mut self.turn
    }
}

struct World {
    endpoints: Vec<Endpoint>,
    round_robin: RoundRobin,
}

impl World {
    fn new(weights: &[f64]) -> Self {
        let endpoints =
            weights.iter().zip(0..).map(|(share, index)| Endpoint { index, share: *share, turn: None }).collect();
        let mut world = Self { endpoints, round_robin: RoundRobin::default() };
        world.rebuild();
        world
    }

    fn rebuild(&mut self) {
        let mut candidates = Candidates::default();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            candidates.push(index as u32, endpoint.share);
        }
        self.round_robin.rebuild(&candidates, &mut self.endpoints);
    }

    /// Who has the next turns, as letters.
    fn turns(&mut self, count: usize) -> String {
        let mut next = || self.round_robin.choose(&mut self.endpoints, |_| false).expect("somebody");
        (0..count).map(|_| char::from(b'a' + next() as u8)).collect()
    }
}

#[test]
fn equals_take_turns() {
    let turns = World::new(&[1.0, 1.0, 1.0]).turns(9);
    assert_eq!(turns, "acbacbacb");
}

#[test]
fn the_heavy_one_comes_often_and_the_light_ones_are_spread() {
    let turns = World::new(&[5.0, 1.0, 1.0]).turns(21);
    assert_eq!(turns.matches('a').count(), 15, "{turns}");
    assert_eq!(turns.matches('b').count(), 3, "{turns}");
    assert!(!turns.contains("aaaaa"), "smooth: {turns}");
    assert!(!turns.contains("bc") && !turns.contains("cb"), "not at once: {turns}");
}

#[test]
fn who_is_avoided_loses_no_turn() {
    let mut world = World::new(&[1.0, 1.0, 1.0]);
    let first = world.round_robin.choose(&mut world.endpoints, |one| one.index == 0);
    assert_eq!(first, Some(2));
    assert_eq!(world.turns(1), "a");
    assert_eq!(world.round_robin.choose(&mut world.endpoints, |_| true), None);
    assert_eq!(world.turns(3).len(), 3, "nobody is lost");
}

#[test]
fn a_newcomer_does_not_make_up_for_the_time_before_it_came() {
    let mut world = World::new(&[1.0, 1.0]);
    world.turns(1_000);
    world.endpoints.push(Endpoint { index: 2, share: 1.0, turn: None });
    world.rebuild();
    let turns = world.turns(9);
    assert_eq!(turns.matches('c').count(), 3, "{turns}");
}

#[test]
fn who_warms_up_does_not_wait_out_the_long_turn_of_its_small_share() {
    let mut world = World::new(&[1.0, 1.0, 0.001]);
    world.turns(10_000);
    world.endpoints[2].share = 1.0;
    world.rebuild();
    assert!(world.turns(6).contains('c'));
}

#[test]
fn often_rebuilding_changes_nothing() {
    let (mut calm, mut busy) = (World::new(&[3.0, 2.0, 1.0]), World::new(&[3.0, 2.0, 1.0]));
    for _ in 0..100 {
        assert_eq!(calm.turns(1), busy.turns(1));
        busy.rebuild();
    }
}
