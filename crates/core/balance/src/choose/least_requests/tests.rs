use proptest::prelude::*;

use super::*;

fn tree(endpoints: &[(u32, f64)]) -> LeastRequests {
    let mut tree = LeastRequests::default();
    tree.reset(endpoints.len());
    endpoints.iter().enumerate().for_each(|(index, (in_flight, share))| tree.set(index as u32, *in_flight, *share));
    tree
}

fn choose(tree: &mut LeastRequests, avoid: &[u32]) -> Option<u32> {
    tree.choose(avoid.iter().copied())
}

#[test]
fn the_queue_for_its_share_decides() {
    assert_eq!(choose(&mut tree(&[(3, 1.0), (4, 2.0), (5, 1.0)]), &[]), Some(1));
}

#[test]
fn equals_take_turns() {
    let mut tree = tree(&[(0, 1.0); 3]);
    let chosen: Vec<u32> = (0..6)
        .map(|_| {
            let index = choose(&mut tree, &[]).expect("somebody");
            tree.set(index, 1, 1.0);
            tree.set(index, 0, 1.0);
            index
        })
        .collect();
    assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn who_is_avoided_is_there_again_afterwards_even_if_named_twice() {
    let mut tree = tree(&[(0, 1.0), (1, 1.0)]);
    assert_eq!(choose(&mut tree, &[0, 0]), Some(1));
    assert_eq!(choose(&mut tree, &[0, 1]), None);
    assert_eq!(choose(&mut tree, &[]), Some(0));
}

#[test]
fn without_candidates_nobody_is_chosen() {
    assert_eq!(choose(&mut LeastRequests::default(), &[]), None);
    assert_eq!(choose(&mut tree(&[(0, 0.0), (0, 0.0)]), &[]), None);
}

proptest! {
    #[test]
    fn the_winner_is_always_the_least(changes in prop::collection::vec((0_u32..9, 0_u32..50, 0_u8..3), 1..200)) {
        let mut tree = tree(&[(0, 1.0); 9]);
        let mut plain = [(0, 1.0); 9];
        for (index, in_flight, share) in changes {
            plain[index as usize] = (in_flight, f64::from(share));
            tree.set(index, in_flight, f64::from(share));
            let load = |at: u32| f64::from(plain[at as usize].0) / plain[at as usize].1;
            let least = (0..9).filter(|at| plain[*at as usize].1 > 0.0).map(load).min_by(f64::total_cmp);
            prop_assert_eq!(choose(&mut tree, &[]).map(load), least);
        }
    }
}
