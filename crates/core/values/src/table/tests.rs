use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

type Own = Table<Box<[u8]>, Box<[u8]>>;

const ALL: fn(Dot) -> bool = |_| true;

fn dot(time: u64) -> Dot {
    Dot { time, node: 7 }
}

fn name(number: u32) -> Vec<u8> {
    format!("element {number}").into_bytes()
}

fn put(own: &mut Own, number: u32, time: u64) {
    own.put(&name(number), dot(time), name(number).into(), ALL);
}

fn scanned(own: &Own, from: u64, count: usize, into: &mut Vec<Vec<u8>>) -> u64 {
    own.scan(from, count, |entry| into.push(entry.key.to_vec()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn it_is_a_map_and_counts_right(steps in prop::collection::vec((any::<bool>(), 0..600u32), 0..2_000)) {
        let (mut own, mut model) = (Own::default(), BTreeMap::new());
        for (time, (is_put, number)) in steps.iter().enumerate() {
            match (is_put, own.find(&name(*number))) {
                (true, _) => put(&mut own, *number, time as u64),
                (false, Some(at)) => prop_assert!(own.erase(at, ALL)),
                (false, None) => {}
            }
            if *is_put { model.insert(*number, time as u64); } else { model.remove(number); }
        }
        prop_assert_eq!(own.len(), model.len());
        let mut same = Own::default();
        for (number, time) in &model {
            let at = own.find(&name(*number)).unwrap();
            prop_assert_eq!(own.entries()[at].slot.dot, dot(*time));
            put(&mut same, *number, *time);
        }
        prop_assert_eq!((own.digest(), own.bytes), (same.digest(), same.bytes));
        let mut found = Vec::new();
        prop_assert_eq!(scanned(&own, 0, usize::MAX, &mut found), 0);
        found.sort();
        let mut all: Vec<_> = model.keys().copied().map(name).collect();
        all.sort();
        prop_assert_eq!(found, all);
    }

    #[test]
    fn a_scan_passes_all_that_stay_while_the_table_grows_and_shrinks(
        start in 0..1_500u32,
        moves in prop::collection::vec((any::<bool>(), 1_500..4_000u32, 1..400u32), 0..40),
        count in 1..40usize,
    ) {
        let mut own = Own::default();
        (0..start).for_each(|number| put(&mut own, number, 1));
        let (mut passed, mut cursor, mut moves) = (Vec::new(), 0, moves.into_iter());
        loop {
            cursor = scanned(&own, cursor, count, &mut passed);
            if cursor == 0 {
                break;
            }
            let Some((grow, from, count)) = moves.next() else { continue };
            for number in from..from + count {
                match (grow, own.find(&name(number))) {
                    (true, _) => put(&mut own, number, 2),
                    (false, Some(at)) => prop_assert!(own.erase(at, ALL)),
                    (false, None) => {}
                }
            }
        }
        let found: BTreeSet<_> = passed.iter().collect();
        for number in 0..start {
            prop_assert!(found.contains(&name(number)), "{number} was not passed");
        }
    }
}

#[test]
fn a_hash_that_all_share_is_slow_but_right() {
    let mut index = Index::of((0..100).map(|_| u32::MAX));
    for place in 100..2_000 {
        index.insert(u32::MAX, place);
    }
    assert!((0..2_000).all(|place| index.find(u32::MAX, |at| at == place) == Some(place)));
    (0..1_990).for_each(|place| index.remove(u32::MAX, place));
    let mut left = Vec::new();
    assert_eq!(index.scan(0, 1, |at| left.push(at)), 0, "one hash is passed in one go");
    left.sort_unstable();
    assert_eq!(left, (1_990..2_000).collect::<Vec<_>>());
}

#[test]
fn elements_of_two_replicas_join_by_what_each_has_seen() {
    let (mut own, mut other) = (Own::default(), Own::default());
    for (number, time) in [(1, 1), (2, 2), (3, 3)] {
        put(&mut own, number, time);
    }
    // The other has seen 1 and 2 and removed 1, and has put 4, and overwritten 3 without having seen it.
    for (number, time) in [(2, 2), (3, 13), (4, 14)] {
        put(&mut other, number, time);
    }
    assert!(own.absorb(other.clone(), |dot| dot.time < 10, |dot| dot.time < 3 || dot.time > 10));
    let mut left: Vec<_> = own.entries().iter().map(|entry| entry.key.to_vec()).collect();
    left.sort();
    assert_eq!(left, [2, 3, 4].map(name));
    let at = own.find(&name(3)).unwrap();
    assert_eq!(own.entries()[at].slot.writes().map(|(dot, _)| dot.time).collect::<Vec<_>>(), [13, 3]);
    let fresh: u64 = own.entries().iter().fold(0, |sum, entry| sum ^ entry.slot.digest(&entry.key));
    assert_eq!(own.digest(), fresh);
}
