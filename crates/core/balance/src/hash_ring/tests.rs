use super::*;
use crate::draws::Draws;

const KEYS: u64 = 10_000;

fn ring(ids: &[u64]) -> HashRing {
    let mut ring = HashRing::new(Config::default(), Key::new([7; 16]));
    let members: Vec<(EndpointId, u32)> = ids.iter().map(|id| (EndpointId(*id), 1)).collect();
    ring.rebuild(members.iter().copied());
    ring
}

fn idle(_: u32) -> Room {
    Room { share: 1.0, in_flight: 0 }
}

/// Which id each key belongs to while nobody is busy.
fn owners(ids: &[u64], room: impl Fn(u32) -> Room) -> Vec<u64> {
    let (ring, mut draws) = (ring(ids), Draws::new(1));
    let owner = |hash| ids[ring.choose(hash, 0, ids.len(), &room).expect("somebody").0 as usize];
    (0..KEYS).map(|_| owner(draws.number())).collect()
}

#[test]
fn who_comes_takes_its_part_of_the_keys_and_moves_no_other() {
    let (before, after) = (owners(&[1, 2, 3, 4], idle), owners(&[1, 2, 3, 4, 5], idle));
    let moved: Vec<u64> = before.iter().zip(&after).filter(|(old, new)| old != new).map(|(_, new)| *new).collect();
    assert!(moved.iter().all(|to| *to == 5), "only to the new one");
    assert!((1_400..2_600).contains(&moved.len()), "about a fifth: {}", moved.len());
}

#[test]
fn who_is_no_candidate_loses_its_keys_and_the_others_keep_theirs() {
    let before = owners(&[1, 2, 3, 4], idle);
    let after = owners(&[1, 2, 3, 4], |index| Room { share: if index == 1 { 0.0 } else { 1.0 }, in_flight: 0 });
    assert!(before.iter().zip(&after).all(|(old, new)| old == new || *old == 2));
    assert!(!after.contains(&2));
}

#[test]
fn one_hot_key_spreads_only_as_far_as_it_must_and_nobody_is_over_the_bound() {
    let ring = ring(&[1, 2, 3, 4, 5]);
    let mut in_flight = [0_u32; 5];
    for total in 0..100 {
        let (index, _) = ring
            .choose(42, total, 5, |index| Room { share: 1.0, in_flight: in_flight[index as usize] })
            .expect("somebody has room");
        in_flight[index as usize] += 1;
    }
    assert!(in_flight.iter().all(|count| *count <= 25), "a quarter more than 20: {in_flight:?}");
    assert_eq!(in_flight.iter().filter(|count| **count == 25).count(), 4, "four suffice: {in_flight:?}");
}

#[test]
fn a_light_load_stays_where_its_keys_belong() {
    let (ring, mut draws) = (ring(&[1, 2, 3, 4, 5]), Draws::new(9));
    for _ in 0..1_000 {
        let hash = draws.number();
        let (_, passed) = ring.choose(hash, 0, 5, idle).expect("somebody");
        assert_eq!(passed, 0);
    }
}

#[test]
fn weights_of_any_size_keep_their_proportions() {
    let mut ring = HashRing::new(Config::default(), Key::new([7; 16]));
    ring.rebuild([(EndpointId(1), 1_000), (EndpointId(2), 3_000)].into_iter());
    assert!(ring.points.len() <= POINTS_MAX as usize);
    let heavy = ring.points.iter().filter(|(_, index)| *index == 1).count();
    assert!(heavy.abs_diff(ring.points.len() * 3 / 4) <= 2, "{heavy}");
}

#[test]
fn without_candidates_nobody_is_chosen() {
    assert_eq!(ring(&[]).choose(1, 0, 0, idle), None);
    assert_eq!(ring(&[1]).choose(1, 0, 0, |_| Room { share: 0.0, in_flight: 0 }), None);
}
