//! Message by message: whatever happened, after a quiet time the ring is the ideal one, and no point had two owners.

use std::time::Duration;

use ringway_ring::Point;
use ringway_ring::chord::{ChordConfig, HandOver, Input};

use crate::network::{Network, at, config};

/// Grows a ring to `count` nodes, one after the other.
pub fn grown(seed: u64, config: ChordConfig, count: u8) -> Network {
    let mut network = Network::new(seed, config);
    network.create(at(10));
    for index in 1..count {
        network.join(at(10 + index * (240 / count)), at(10));
        network.run_for(Duration::from_secs(3));
    }
    network.spread_members();
    network.run_for(Duration::from_secs(10));
    network
}

#[test]
fn a_ring_grows_to_the_ideal_one() {
    for seed in 0..20 {
        let network = grown(seed, config(), 8);
        assert_eq!(network.faults(), "", "seed {seed}");
        assert!(network.doubles.is_empty(), "seed {seed}: {:?}", network.doubles);
        assert_eq!(network.members().len(), 8);
    }
}

#[test]
fn all_may_join_at_once() {
    for seed in 0..50 {
        let mut network = Network::new(seed, config());
        network.create(at(10));
        for index in 1..8 {
            network.join(at(10 + index * 30), at(10));
        }
        settle(&mut network);
        assert_eq!(network.members().len(), 8, "seed {seed}");
        assert_eq!(network.faults(), "", "seed {seed}");
        assert!(network.doubles.is_empty(), "seed {seed}: {:?}", network.doubles);
    }
}

#[test]
fn a_dead_nodes_arc_falls_to_its_successor() {
    for seed in 0..30 {
        let mut network = grown(seed, config(), 8);
        let victim = at(10 + 30 * (seed % 8) as u8);
        network.crash(victim);
        network.run_for(Duration::from_secs(5));
        assert_eq!(network.faults(), "", "seed {seed}");
        assert!(network.doubles.is_empty(), "seed {seed}: {:?}", network.doubles);
    }
}

#[test]
fn a_leavers_arc_falls_to_its_successor() {
    for seed in 0..30 {
        let mut network = grown(seed, config(), 8);
        let victim = at(10 + 30 * (seed % 8) as u8);
        network.give(victim, Input::Leave);
        network.run_for(Duration::from_secs(5));
        assert!(!network.members().contains(&victim));
        assert_eq!(network.faults(), "", "seed {seed}");
        assert!(network.doubles.is_empty(), "seed {seed}: {:?}", network.doubles);
    }
}

fn settle(network: &mut Network) {
    for _ in 0..6 {
        network.spread_members();
        network.run_for(Duration::from_secs(5));
    }
}

/// Joins, crashes and leaves, one every `pause` on average, then quiet.
fn churn(seed: u64, loss: u64, pause: Duration, settings: ChordConfig) -> Network {
    let mut network = grown(seed, settings, 8);
    network.loss = loss;
    for _ in 0..40 {
        step(&mut network);
        let pause = pause * network.random(2000) as u32 / 1000;
        network.run_for(pause);
        network.spread_members();
    }
    network.loss = 0;
    settle(&mut network);
    network
}

fn step(network: &mut Network) {
    let members = network.members();
    let one = members[network.random(members.len() as u64) as usize];
    match network.random(4) {
        0 if members.len() > 4 => network.crash(one),
        1 if members.len() > 4 => network.give(one, Input::Leave),
        _ if members.len() < 14 => {
            let place = at(network.random(256) as u8);
            if !network.nodes.get(&place).is_some_and(|node| node.is_in_ring()) {
                network.join(place, one);
            }
        }
        _ => {}
    }
}

#[test]
fn churn_ends_in_the_ideal_ring_and_no_point_has_two_owners() {
    for seed in 0..60 {
        let network = churn(seed, 0, Duration::from_secs(2), config());
        assert_eq!(network.faults(), "", "seed {seed}");
        assert!(network.doubles.is_empty(), "seed {seed}: {:?}", network.doubles);
    }
}

#[test]
fn hasty_churn_ends_in_the_ideal_ring() {
    for seed in 0..60 {
        let network = churn(seed, 0, Duration::from_millis(300), config());
        assert_eq!(network.faults(), "", "seed {seed}");
        assert!(network.sent < 15_000, "seed {seed}: {} messages", network.sent);
    }
}

#[test]
fn losing_a_tenth_of_all_messages_does_no_lasting_harm() {
    for seed in 0..60 {
        let network = churn(seed, 100, Duration::from_secs(2), config());
        assert_eq!(network.faults(), "", "seed {seed}");
        let last = network.doubles.last();
        assert!(last.is_none_or(|line| !line.starts_with(&format!("{:?}", network.now))), "seed {seed}: {last:?}");
    }
}

#[test]
fn lookups_during_churn_are_answered_by_owners() {
    for seed in 0..20 {
        let mut network = grown(seed, config(), 8);
        for ticket in 0..200 {
            if ticket % 8 == 0 {
                step(&mut network);
            }
            let members = network.members();
            let asker = members[network.random(members.len() as u64) as usize];
            let key = Point(network.random(u64::MAX));
            network.give(asker, Input::Lookup { ticket, key });
            network.run_for(Duration::from_millis(250));
        }
        settle(&mut network);
        let lost = network.founds.iter().filter(|(_, owner)| owner.is_none()).count();
        assert!(network.founds.len() > 150, "seed {seed}: only {} ended", network.founds.len());
        assert!(lost <= 8, "seed {seed}: {lost} lost");
        assert!(network.doubles.is_empty(), "seed {seed}: {:?}", network.doubles);
    }
}

#[test]
fn an_arc_waits_for_its_release() {
    let mut network = grown(1, ChordConfig { hand_over: HandOver::WhenReleased, ..config() }, 1);
    network.join(at(100), at(10));
    network.run_for(Duration::from_secs(5));
    assert!(network.nodes[&at(10)].owns(at(100).point) && network.nodes[&at(100)].arc().is_none());
    network.give(at(10), Input::Release { to: at(100) });
    network.run_for(Duration::from_secs(2));
    assert!(network.nodes[&at(100)].owns(at(100).point) && !network.nodes[&at(10)].owns(at(100).point));
    assert_eq!(network.faults(), "");
    assert!(network.doubles.is_empty(), "{:?}", network.doubles);
}

#[test]
fn a_leaver_waits_until_its_keys_are_copied() {
    let mut network = grown(1, ChordConfig { hand_over: HandOver::WhenReleased, ..config() }, 1);
    network.join(at(100), at(10));
    network.run_for(Duration::from_secs(3));
    network.give(at(10), Input::Release { to: at(100) });
    network.run_for(Duration::from_secs(3));
    network.give(at(100), Input::Leave);
    network.run_for(Duration::from_secs(30));
    assert!(network.nodes[&at(100)].owns(at(100).point));
    network.give(at(100), Input::Release { to: at(10) });
    network.run_for(Duration::from_secs(1));
    assert!(network.nodes[&at(10)].owns(at(100).point) && !network.nodes[&at(100)].is_in_ring());
    assert_eq!(network.faults(), "");
}

/// Fewer members than a list has entries, all the time: only gossip makes the lists whole.
#[test]
fn a_ring_that_stays_young_lives_through_churn() {
    for seed in 0..40 {
        let network = churn(seed, 0, Duration::from_secs(1), ChordConfig::default());
        assert_eq!(network.faults(), "", "seed {seed}");
        assert!(network.doubles.is_empty(), "seed {seed}: {:?}", network.doubles);
    }
}
