use proptest::prelude::*;

use super::*;
use crate::draws::Draws;

const LIMIT: Rate = Rate { per_second: 1_000.0, burst: 100 };
const TICK: Duration = Duration::from_millis(250);

/// Nodes that tell each other their reports each tick, if they hear each other.
struct World {
    nodes: Vec<RateShare>,
    now: Duration,
    /// The most that all of them together have allowed.
    sum_max: f64,
}

impl World {
    fn new(count: u64) -> Self {
        let ids: Vec<u64> = (0..count).collect();
        let others = |id: u64| ids.iter().copied().filter(|other| *other != id).collect::<Vec<u64>>();
        let nodes = ids.iter().map(|id| RateShare::new(LIMIT, *id, 0, &others(*id))).collect();
        Self { nodes, now: Duration::ZERO, sum_max: 0.0 }
    }

    /// `demands`: requests a second made on each node.
    fn run(&mut self, ticks: u32, demands: &[u64], mut hears: impl FnMut(usize, usize) -> bool) {
        for _ in 0..ticks {
            self.now += TICK;
            let reports: Vec<Report> = (self.nodes.iter_mut().zip(demands))
                .map(|(node, demand)| {
                    (0..demand / 4).for_each(|_| node.note());
                    node.tick(self.now)
                })
                .collect();
            self.sum_max = self.sum_max.max(reports.iter().map(|report| report.share).sum());
            for (to, node) in self.nodes.iter_mut().enumerate() {
                for (from, report) in reports.iter().enumerate() {
                    if hears(to, from) {
                        node.merge(self.now, *report);
                    }
                }
            }
        }
    }

    fn shares(&self) -> Vec<f64> {
        self.nodes.iter().map(|node| node.rate().per_second).collect()
    }

    fn sum(&self) -> f64 {
        self.shares().iter().sum()
    }
}

#[test]
fn a_node_that_has_heard_nobody_has_an_even_part() {
    let world = World::new(4);
    assert_eq!(world.shares(), [250.0; 4]);
    assert_eq!(world.nodes[0].rate().burst, 25);
}

#[test]
fn shares_follow_the_demand_and_sum_up_to_the_limit() {
    let mut world = World::new(3);
    world.run(60, &[6_000, 3_000, 0], |_, _| true);
    let shares = world.shares();
    assert!((640.0..680.0).contains(&shares[0]), "{shares:?}");
    assert!((310.0..350.0).contains(&shares[1]), "{shares:?}");
    assert!(shares[2] > 1.0, "the first requests there find something: {shares:?}");
    assert!((world.sum() - 1_000.0).abs() < 5.0, "{shares:?}");
    world.run(60, &[0, 0, 5_000], |_, _| true);
    let shares = world.shares();
    assert!(shares[2] > 950.0 && world.sum() < 1_020.0, "demand has moved: {shares:?}");
}

#[test]
fn while_there_is_enough_for_all_an_idle_node_has_room_for_more_than_a_trickle() {
    let mut world = World::new(3);
    world.run(60, &[100, 0, 0], |_, _| true);
    let shares = world.shares();
    assert!(shares[2] > 80.0, "{shares:?}");
}

#[test]
fn demand_that_jumps_from_node_to_node_does_not_make_all_of_them_take_it() {
    let mut world = World::new(3);
    for round in 0..30 {
        let demand = |node| if round % 3 == node { 9_000 } else { 0 };
        world.run(6, &[demand(0), demand(1), demand(2)], |_, _| true);
    }
    assert!(world.sum_max < 1_020.0, "{}", world.sum_max);
}

#[test]
fn a_node_that_is_cut_off_keeps_its_last_share_and_the_others_leave_it_that() {
    let mut world = World::new(3);
    world.run(60, &[2_000, 2_000, 4_000], |_, _| true);
    let before = world.shares();
    world.run(200, &[5_000, 1_000, 9_000], |to, from| (to == 2) == (from == 2));
    let after = world.shares();
    assert!((after[2] - before[2]).abs() < 15.0, "{before:?} {after:?}");
    assert!((380.0..450.0).contains(&after[0]), "five sixths of what is left: {after:?}");
    assert!(world.sum() < 1_020.0, "{after:?}");
    world.run(100, &[0, 0, 9_000], |_, _| true);
    assert!(world.shares()[2] > 900.0, "healed: {:?}", world.shares());
}

#[test]
fn who_leaves_gives_its_share_back() {
    let mut world = World::new(3);
    world.run(60, &[2_000, 2_000, 2_000], |_, _| true);
    world.nodes.pop();
    world.nodes[0].set_others(world.now, &[1]);
    world.nodes[1].set_others(world.now, &[0]);
    world.run(60, &[2_000, 2_000], |_, _| true);
    assert!((world.sum() - 1_000.0).abs() < 10.0, "{:?}", world.shares());
}

#[test]
fn reports_that_are_old_or_of_strangers_change_nothing() {
    let mut share = RateShare::new(LIMIT, 1, 0, &[2]);
    let report = Report { node: 2, number: 5, demand: 10.0, share: 100.0 };
    assert!(share.merge(TICK, report));
    assert!(!share.merge(TICK, Report { number: 4, share: 900.0, ..report }));
    assert!(!share.merge(TICK, report), "told twice");
    assert!(!share.merge(TICK, Report { node: 9, number: 9, ..report }));
}

proptest! {
    #[test]
    fn whatever_is_lost_and_however_demand_moves_the_sum_comes_back_to_the_limit(
        seed: u64,
        phases in prop::collection::vec((prop::array::uniform4(0_u64..5_000), 0_u64..100), 1..6),
    ) {
        let (mut world, mut draws) = (World::new(4), Draws::new(seed));
        for (demands, lost) in phases {
            world.run(20, &demands, |_, _| draws.below(100) >= lost);
        }
        world.run(80, &[3_000, 2_000, 1_000, 2_000], |_, _| true);
        prop_assert!((world.sum() - 1_000.0).abs() < 20.0, "{:?}", world.shares());
        prop_assert!((world.shares()[0] - 375.0).abs() < 15.0, "{:?}", world.shares());
    }
}
