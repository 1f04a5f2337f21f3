//! What must not break a ring. The traces show what a node says and tells; `UPDATE_EXPECT=1` writes them anew.

use std::time::Duration;

use expect_test::{Expect, expect};
use ringway_ring::chord::{Body, Event, Input, Message};

use crate::churn::grown;
use crate::network::{Network, at, config, name};

/// What happened since the trace was last taken, events only, and how the ring is then.
fn check(network: &mut Network, expected: Expect) {
    let trace = network.take_trace();
    let events: String = trace.lines().filter(|line| !line.contains("->")).map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&(events + &network.describe_all()));
}

/// A ring of these, at rest, with the trace switched on.
fn traced(parts: &[u8]) -> Network {
    let mut network = Network::new(7, config());
    network.create(at(parts[0]));
    for part in &parts[1..] {
        network.join(at(*part), at(parts[0]));
        network.run_for(Duration::from_secs(3));
    }
    network.spread_members();
    network.run_for(Duration::from_secs(10));
    assert_eq!(network.faults(), "");
    network.trace = Some(String::new());
    network
}

fn run(network: &mut Network, seconds: u64) {
    for _ in 0..seconds {
        network.run_for(Duration::from_secs(1));
        network.spread_members();
    }
}

#[test]
fn a_ring_of_one_owns_everything_and_answers() {
    let mut network = Network::new(1, config());
    network.trace = Some(String::new());
    network.create(at(10));
    network.give(at(10), Input::Lookup { ticket: 1, key: at(200).point });
    network.run_for(Duration::from_secs(100));
    assert_eq!(network.founds, [(1, Some(at(10)))]);
    check(
        &mut network,
        expect![[r#"
          n10: joined
          n10: gained (10, 10] Created
        n10: after -, before [], owns (10, 10]
    "#]],
    );
}

#[test]
fn a_join_shows_every_message() {
    let mut network = traced(&[10, 100]);
    network.join(at(50), at(100));
    network.run_for(Duration::from_millis(350));
    expect![[r#"
        n50 -> n100: step?
        n100 -> n50: step
        n50 -> n100: GetState
        n100 -> n50: state after n10 before [n10]
        n50 -> n10: GetState
        n10 -> n50: state after n100 before [n100]
          n50: successors [n100]
          n50: predecessor n10
        n50 -> n100: GetState
        n100 -> n50: state after n10 before [n10]
          n50: successors [n100 n10]
        n50 -> n100: notify, after [n10]
        n100 -> n50: Busy
        n100 -> n50: Ping
        n50 -> n100: Pong { member: true, owner: false }
          n100: predecessor n50
        n100 -> n10: notify, after [n50 n10]
        n100 -> n50: Busy
        n10 -> n100: notified
          n100: ceded (10, 50] to n50
        n100 -> n50: notified, granting (10, 50]
          n50: joined
          n50: gained (10, 50] GrantedBy(64646464@6400000000000000)
    "#]]
    .assert_eq(&network.take_trace());
}

#[test]
fn a_join_during_a_join_ends_with_both_in_the_ring() {
    let mut network = traced(&[10, 100]);
    network.join(at(50), at(10));
    network.join(at(60), at(10));
    network.join(at(55), at(10));
    run(&mut network, 8);
    assert_eq!(network.faults(), "");
    assert!(network.doubles.is_empty(), "{:?}", network.doubles);
    check(
        &mut network,
        expect![[r#"
          n50: successors [n100]
          n50: predecessor n10
          n50: successors [n100 n10]
          n60: successors [n100]
          n60: predecessor n10
          n100: predecessor n50
          n55: successors [n100]
          n55: predecessor n10
          n60: successors [n100 n10]
          n55: successors [n100 n10]
          n100: ceded (10, 50] to n50
          n50: joined
          n50: gained (10, 50] GrantedBy(64646464@6400000000000000)
          n100: predecessor n60
          n100: ceded (50, 60] to n60
          n60: joined
          n60: gained (50, 60] GrantedBy(64646464@6400000000000000)
          n60: predecessor n50
          n10: successors [n60 n100]
          n10: successors [n50 n100]
          n100: successors [n10 n50]
          n55: successors [n60 n100]
          n60: predecessor n55
          n60: ceded (50, 55] to n55
          n55: joined
          n55: gained (50, 55] GrantedBy(3c3c3c3c@3c00000000000000)
          n55: predecessor n50
          n50: successors [n60 n100]
          n50: successors [n55 n60]
          n10: successors [n50 n55]
        n10: after n100, before [n50 n55], owns (100, 10]
        n50: after n10, before [n55 n60], owns (10, 50]
        n55: after n50, before [n60 n100], owns (50, 55]
        n60: after n55, before [n100 n10], owns (55, 60]
        n100: after n60, before [n10 n50], owns (60, 100]
    "#]],
    );
}

#[test]
fn a_joiner_that_dies_half_way_leaves_no_hole() {
    for millis in (5..400).step_by(5) {
        let mut network = traced(&[10, 60, 110, 160]);
        network.join(at(80), at(10));
        network.run_for(Duration::from_millis(millis));
        network.crash(at(80));
        run(&mut network, 8);
        assert_eq!(network.faults(), "", "dead after {millis} ms");
        assert!(network.doubles.is_empty(), "dead after {millis} ms: {:?}", network.doubles);
    }
}

#[test]
fn a_granter_that_dies_half_way_leaves_no_hole() {
    for millis in (5..400).step_by(5) {
        let mut network = traced(&[10, 60, 110, 160]);
        network.join(at(80), at(10));
        network.run_for(Duration::from_millis(millis));
        network.crash(at(110));
        run(&mut network, 15);
        assert_eq!(network.faults(), "", "dead after {millis} ms");
        assert!(network.doubles.is_empty(), "dead after {millis} ms: {:?}", network.doubles);
    }
}

#[test]
fn a_lookup_that_is_with_a_node_that_leaves_goes_another_way() {
    // 60 owns the key and goes while the question is on its way; 10 is its predecessor, 110 its successor.
    for asker in [10, 110, 160] {
        for millis in 0..60 {
            let mut network = traced(&[10, 60, 110, 160]);
            let key = ringway_ring::Point(at(60).point.0 - 1);
            network.give(at(asker), Input::Lookup { ticket: 7, key });
            network.run_for(Duration::from_millis(millis));
            network.give(at(60), Input::Leave);
            network.run_for(Duration::from_secs(5));
            let ended: Vec<_> = network.founds.iter().filter(|(ticket, _)| *ticket == 7).collect();
            assert_eq!(ended.len(), 1, "asked by {asker}, leave after {millis} ms");
        }
    }
}

#[test]
fn a_leave_beside_a_death_is_taken_by_the_heir_of_both() {
    // 60 goes just when 80, between it and 110, has died. All but 110 know it, so 10 has shown itself there before 60 may leave.
    for millis in (0..800).step_by(40) {
        let mut network = traced(&[10, 60, 80, 110, 160]);
        network.crash(at(80));
        for peer in [10, 60] {
            network.give(at(peer), Input::Down(at(80).node));
        }
        network.run_for(Duration::from_millis(millis));
        network.give(at(60), Input::Leave);
        // The death is known after 800 ms; then the next word of the leaver is enough.
        network.run_for(Duration::from_millis(1600 - millis));
        assert!(network.nodes[&at(110)].owns(at(60).point), "{millis} ms: {}", network.describe(at(110)));
        run(&mut network, 8);
        assert_eq!(network.faults(), "", "{millis} ms");
        assert!(network.doubles.is_empty(), "{millis} ms: {:?}", network.doubles);
    }
}

#[test]
fn a_joiner_whose_point_is_taken_is_told_so() {
    let mut network = traced(&[10, 100]);
    let mut twin = at(10);
    twin.node = at(77).node;
    network.join(twin, at(100));
    network.run_for(Duration::from_secs(5));
    assert!(network.events.contains(&(twin, Event::PointTaken { by: at(10) })));
    assert!(!network.nodes[&twin].is_in_ring());
    check(
        &mut network,
        expect![[r#"
          n10: point taken by n10
        n10: after n100, before [n100], owns (100, 10]
        n100: after n10, before [n10], owns (10, 100]
    "#]],
    );
}

#[test]
fn of_two_machines_with_one_identity_the_older_stops() {
    let mut network = traced(&[10, 100, 200]);
    let older = network.nodes[&at(100)].clone();
    network.join(at(100), at(10));
    run(&mut network, 8);
    assert_eq!(network.faults(), "");
    // The older one speaks: to its successor, and gets an answer from the newer life.
    let mut node = older;
    let mut out = Vec::new();
    let notify =
        Message { incarnation: node.incarnation(), id: 9, body: Body::Notify { after: None, predecessors: vec![] } };
    network.give(at(200), Input::Message { from: at(100), message: notify });
    let by = network.nodes[&at(100)].incarnation();
    let told = Message { incarnation: network.nodes[&at(200)].incarnation(), id: 9, body: Body::Replaced { by } };
    node.handle(network.now, Input::Message { from: at(200), message: told }, &mut out);
    assert!(!node.is_in_ring() && node.arc().is_none(), "{out:?}");
    let trace = network.take_trace();
    assert!(trace.contains(&format!("n200 -> n100: Replaced {{ by: {by} }}")), "{trace}");
}

#[test]
fn a_node_that_comes_back_gets_its_place_back() {
    for pause in [0, 100, 1000, 5000] {
        let mut network = traced(&[10, 60, 110, 160]);
        network.gossip = false;
        network.crash(at(60));
        network.run_for(Duration::from_millis(pause));
        network.join(at(60), at(160));
        run(&mut network, 10);
        assert_eq!(network.faults(), "", "back after {pause} ms");
        assert!(network.doubles.is_empty(), "back after {pause} ms: {:?}", network.doubles);
    }
}

#[test]
fn a_node_that_goes_on_with_old_state_gives_up_what_was_inherited() {
    let mut network = traced(&[10, 60, 110, 160]);
    let old = network.nodes.remove(&at(60)).expect("it was there");
    run(&mut network, 10);
    assert!(network.nodes[&at(110)].owns(at(60).point));
    network.nodes.insert(at(60), old);
    run(&mut network, 10);
    assert_eq!(network.faults(), "");
    assert!(network.doubles.is_empty(), "{:?}", network.doubles);
    check(
        &mut network,
        expect![[r#"
              n10: successors [n110]
              n10: dropped n60
              n10: successors [n110 n160]
              n160: successors [n10 n110]
              n110: dropped n60
              n110: predecessor none
              n110: gained (10, 60] Inherited(Some(3c3c3c3c@3c00000000000000))
              n110: predecessor n10
              n110: predecessor n60
              n110: ceded (10, 60] to n60
              n60: gained (10, 60] GrantedBy(6e6e6e6e@6e00000000000000)
              n10: successors [n60 n110]
              n160: successors [n10 n60]
            n10: after n160, before [n60 n110], owns (160, 10]
            n60: after n10, before [n110 n160], owns (10, 60]
            n110: after n60, before [n160 n10], owns (60, 110]
            n160: after n110, before [n10 n60], owns (110, 160]
        "#]],
    );
}

#[test]
fn a_clock_that_goes_back_or_leaps_changes_nothing_but_the_pace() {
    let mut network = traced(&[10, 60, 110, 160]);
    for clock in
        [Duration::ZERO, Duration::from_secs(1_000_000), Duration::from_secs(5), network.now, Duration::MAX / 2]
    {
        network.give_at(clock, at(60), Input::Wake);
        network.give_at(network.now, at(60), Input::Wake);
        network.run_for(Duration::from_secs(2));
    }
    run(&mut network, 5);
    assert_eq!(network.faults(), "");
    assert!(network.doubles.is_empty(), "{:?}", network.doubles);
    check(
        &mut network,
        expect![[r#"
        n10: after n160, before [n60 n110], owns (160, 10]
        n60: after n10, before [n110 n160], owns (10, 60]
        n110: after n60, before [n160 n10], owns (60, 110]
        n160: after n110, before [n10 n60], owns (110, 160]
    "#]],
    );
}

#[test]
fn after_a_leap_of_its_clock_a_node_owns_nothing_until_it_is_known_again() {
    let mut network = traced(&[10, 60, 110]);
    network.give_at(network.now + Duration::from_secs(3600), at(60), Input::Wake);
    assert!(!network.nodes[&at(60)].owns(at(60).point));
    network.give_at(network.now, at(60), Input::Wake);
    network.run_for(Duration::from_secs(2));
    assert!(network.nodes[&at(60)].owns(at(60).point));
}

#[test]
fn a_message_from_a_node_that_has_left_does_not_bring_it_back() {
    let mut network = traced(&[10, 60, 110]);
    let incarnation = network.nodes[&at(60)].incarnation();
    network.give(at(60), Input::Leave);
    run(&mut network, 5);
    assert_eq!(network.faults(), "");
    let late = Body::Notify { after: Some(at(10).point), predecessors: vec![at(10)] };
    network.take_trace();
    network.give(at(110), Input::Message { from: at(60), message: Message { incarnation, id: 1, body: late } });
    expect![[""]].assert_eq(&network.take_trace());
}

#[test]
fn a_late_notification_of_a_dead_node_takes_nothing() {
    let mut network = traced(&[10, 60, 110]);
    let incarnation = network.nodes[&at(60)].incarnation();
    network.crash(at(60));
    run(&mut network, 5);
    let late = Body::Notify { after: Some(at(10).point), predecessors: vec![at(10)] };
    network.take_trace();
    network.give(at(110), Input::Message { from: at(60), message: Message { incarnation, id: 1, body: late } });
    assert!(network.nodes[&at(110)].owns(at(60).point));
    run(&mut network, 5);
    assert_eq!(network.faults(), "");
    assert!(!network.events.iter().any(|(own, event)| *own == at(110) && matches!(event, Event::Isolated)));
}

#[test]
fn an_overtaken_notification_is_not_believed() {
    let mut network = traced(&[10, 60, 110, 160]);
    let incarnation = network.nodes[&at(110)].incarnation();
    // 160 knows that 60 stands before 110; an older word of 110 says that 10 did.
    let late = Body::Notify { after: Some(at(10).point), predecessors: vec![at(10)] };
    network.give(at(160), Input::Message { from: at(110), message: Message { incarnation, id: 0, body: late } });
    network.crash(at(110));
    network.run_for(Duration::from_millis(900));
    assert!(!network.nodes[&at(160)].owns(at(60).point));
    assert!(network.doubles.is_empty(), "{:?}", network.doubles);
}

#[test]
fn a_partition_heals_into_one_ring() {
    let parts: Vec<u8> = (0..8).map(|index| 10 + index * 30).collect();
    for seed in 0..20 {
        let mut network = grown(seed, config(), 8);
        for part in &parts {
            let side = network.random(2) as u8;
            network.sides.insert(at(*part), side);
        }
        run(&mut network, 15);
        network.sides.clear();
        run(&mut network, 15);
        assert_eq!(network.faults(), "", "seed {seed}");
        network.doubles.clear();
        run(&mut network, 5);
        assert!(network.doubles.is_empty(), "seed {seed}: {:?}", network.doubles);
    }
}

#[test]
fn two_halves_of_a_partition_find_each_other() {
    let mut network = traced(&[10, 60, 110, 160]);
    for part in [10, 110] {
        network.sides.insert(at(part), 1);
    }
    run(&mut network, 10);
    assert!(network.nodes[&at(110)].owns(at(60).point), "{}", network.describe(at(110)));
    network.take_trace();
    network.sides.clear();
    run(&mut network, 10);
    assert_eq!(network.faults(), "");
    check(
        &mut network,
        expect![[r#"
              n60: merging with n110
              n60: successors [n110 n10]
              n10: successors [n60 n110]
              n60: predecessor n10
              n110: predecessor n60
              n110: successors [n10 n60]
              n110: ceded (10, 60] to n60
              n160: successors [n60 n110]
              n60: gained (10, 60] GrantedBy(6e6e6e6e@6e00000000000000)
              n60: ceded (160, 10] to n10
              n160: successors [n10 n60]
              n10: gained (160, 10] GrantedBy(3c3c3c3c@3c00000000000000)
              n110: successors [n160 n10]
              n10: predecessor n160
              n160: predecessor n110
              n10: ceded (110, 160] to n160
              n160: ceded (60, 110] to n110
              n110: gained (60, 110] GrantedBy(a0a0a0a0@a000000000000000)
              n60: successors [n110 n160]
            n10: after n160, before [n60 n110], owns (160, 10]
            n60: after n10, before [n110 n160], owns (10, 60]
            n110: after n60, before [n160 n10], owns (60, 110]
            n160: after n110, before [n10 n60], owns (110, 160]
        "#]],
    );
}

#[test]
fn a_false_verdict_heals() {
    for victim in [10, 60, 110, 160] {
        let mut network = traced(&[10, 60, 110, 160]);
        for peer in network.members() {
            network.give(peer, Input::Down(at(victim).node));
        }
        run(&mut network, 10);
        assert_eq!(network.faults(), "", "{} was alive", name(at(victim)));
    }
}

#[test]
fn a_node_that_loses_everybody_finds_the_others_by_gossip() {
    let mut network = traced(&[10, 60, 110, 160, 210]);
    network.crash(at(110));
    network.crash(at(160));
    // Both successors of 60 and, with them, all that its list knew.
    run(&mut network, 10);
    assert_eq!(network.faults(), "");
    assert!(network.doubles.is_empty(), "{:?}", network.doubles);
    check(
        &mut network,
        expect![[r#"
        n110 crashes
        n160 crashes
          n10: successors [n60]
          n10: dropped n110
          n60: successors [n160]
          n60: dropped n110
          n60: successors []
          n60: dropped n160
          n60: isolated
          n210: dropped n160
          n210: predecessor none
          n210: gained (110, 160] Inherited(Some(a0a0a0a0@a000000000000000))
          n210: predecessor n60
          n60: successors [n210 n10]
          n10: successors [n60 n210]
          n210: gained (60, 110] Inherited(None)
        n10: after n210, before [n60 n210], owns (210, 10]
        n60: after n10, before [n210 n10], owns (10, 60]
        n210: after n60, before [n10 n60], owns (60, 210]
    "#]],
    );
}

#[test]
fn a_ring_whose_only_owner_dies_while_others_join_is_owned_again() {
    for millis in (20..400).step_by(20) {
        let mut network = Network::new(millis, config());
        network.create(at(10));
        for part in [60, 110, 160] {
            network.join(at(part), at(10));
        }
        network.run_for(Duration::from_millis(millis));
        network.crash(at(10));
        run(&mut network, 30);
        let members = network.members();
        if members.is_empty() {
            // Nobody had got in yet.
            continue;
        }
        assert_eq!(network.faults(), "", "dead after {millis} ms");
        assert!(network.doubles.is_empty(), "dead after {millis} ms: {:?}", network.doubles);
    }
}

/// Messages that a node sends in a second when nothing happens, and a few more.
const QUIET: usize = 16;

#[test]
fn an_old_table_that_calls_a_full_ring_young_makes_nobody_talk_without_end() {
    let mut network = traced(&[10, 60, 110, 160, 210]);
    for own in network.members() {
        network.give(own, Input::Members(vec![own, at(160)]));
        network.give(own, Input::Members(vec![own, at(10)]));
    }
    let before = network.sent;
    network.run_for(Duration::from_secs(10));
    assert!(network.sent - before < 10 * 5 * QUIET, "{} messages", network.sent - before);
    assert_eq!(network.faults(), "");
}
