//! What the model checker finds, and must not find.

use std::time::Instant;

use stateright::{Checker, Model};

use crate::model::{Chord, ONE_RING, Protocol, REPAIRS, representative};

fn corrected(ids: u8, events: u8) -> Chord {
    Chord {
        protocol: Protocol::Corrected,
        ids,
        events,
        begins_with: 3..=3,
        assumes_principals: true,
        assumes_live_successor: true,
    }
}

fn published(ids: u8, events: u8) -> Chord {
    Chord { protocol: Protocol::Published, begins_with: 4..=4, ..corrected(ids, events) }
}

fn young(ids: u8, events: u8) -> Chord {
    Chord {
        protocol: Protocol::WithGossip,
        begins_with: 1..=3,
        assumes_principals: false,
        assumes_live_successor: false,
        ..corrected(ids, events)
    }
}

/// All reachable rings have all properties.
fn holds(chord: Chord) {
    let (begun, name) = (Instant::now(), format!("{chord:?}"));
    let checker = chord.checker().symmetry_fn(representative).threads(2).spawn_dfs().join();
    println!("{name}: holds, {} states, {:.1} s", checker.unique_state_count(), begun.elapsed().as_secs_f64());
    checker.assert_properties();
}

/// Some reachable ring has not this property. The shortest way there is printed.
fn is_broken(chord: Chord, property: &'static str) {
    let (begun, name) = (Instant::now(), format!("{chord:?}"));
    let wanted = stateright::HasDiscoveries::AnyOf([property].into());
    let checker = chord.checker().threads(2).finish_when(wanted).spawn_bfs().join();
    let path = checker.discovery(property).unwrap_or_else(|| panic!("{name} has always \"{property}\""));
    let (states, seconds) = (checker.unique_state_count(), begun.elapsed().as_secs_f64());
    let end = *path.last_state();
    let actions = path.into_actions();
    println!("{name}: not \"{property}\" after {} steps, {states} states, {seconds:.1} s", actions.len());
    println!("  {actions:?}\n  {end:?}");
}

#[test]
fn the_corrected_chord_holds_with_five_ids_and_five_events() {
    holds(corrected(5, 5));
}

#[test]
fn the_corrected_chord_holds_with_five_ids_and_nine_events() {
    holds(corrected(5, 9));
}

#[test]
fn the_corrected_chord_holds_with_six_ids_and_four_events() {
    holds(corrected(6, 4));
}

/// Although there are always more than L members, and everybody has a live successor after each failure.
#[test]
fn the_published_chord_breaks_its_ring() {
    is_broken(published(5, 3), ONE_RING);
}

#[test]
fn the_published_chord_does_not_recover() {
    is_broken(published(5, 3), REPAIRS);
}

#[test]
fn the_corrected_chord_needs_more_members_than_its_lists_have_entries() {
    is_broken(Chord { assumes_principals: false, ..corrected(4, 6) }, REPAIRS);
}

#[test]
fn the_corrected_chord_cannot_begin_with_one() {
    is_broken(Chord { assumes_principals: false, begins_with: 1..=1, ..corrected(4, 6) }, REPAIRS);
}

#[test]
fn a_young_ring_with_gossip_holds() {
    holds(young(4, 3));
}
