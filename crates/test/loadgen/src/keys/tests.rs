use super::*;

fn draws(keys: &mut Keys, count: usize) -> Vec<u32> {
    let mut lot = Lot::new(7);
    (0..count).map(|_| keys.next(&mut lot).expect("there are more")).collect()
}

#[test]
fn a_fill_names_each_key_once_and_ends() {
    let (mut keys, mut lot) = (Keys::each(5, None), Lot::new(1));
    let seen: Vec<_> = std::iter::from_fn(|| keys.next(&mut lot)).collect();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[test]
fn uniform_draws_reach_all_tenths_alike() {
    let mut tenths = [0u32; 10];
    for key in draws(&mut Keys::Any(1000), 100_000) {
        tenths[key as usize / 100] += 1;
    }
    assert!(tenths.iter().all(|tenth| (9_500..10_500).contains(tenth)), "{tenths:?}");
}

#[test]
fn the_first_ranks_of_zipf_are_drawn_as_often_as_the_law_says() {
    let (zipf, mut lot) = (Zipf::new(1000, 0.99), Lot::new(3));
    let mut seen = vec![0u32; 1000];
    for _ in 0..200_000 {
        seen[zipf.rank(&mut lot) as usize] += 1;
    }
    for rank in [0usize, 1, 9] {
        let wanted = 200_000.0 * ((rank + 1) as f64).powf(-0.99) / zipf.zeta;
        let ratio = f64::from(seen[rank]) / wanted;
        assert!((0.85..1.2).contains(&ratio), "rank {rank}: {ratio}");
    }
}

#[test]
fn rank_to_key_is_one_to_one() {
    let keys: std::collections::BTreeSet<_> = (0..1000u64).map(|rank| rank * SCATTER % 1000).collect();
    assert_eq!(keys.len(), 1000);
}

#[test]
fn a_node_is_asked_for_its_own_keys_only() {
    let is_even = |key: u32| key.is_multiple_of(2);
    for dist in [Dist::Uniform, Dist::Zipf] {
        let mut keys = Keys::drawn(dist, 1000, 0.9, &mut Lot::new(1), Some(&is_even));
        assert!(draws(&mut keys, 1000).into_iter().all(is_even), "{dist:?}");
    }
}
