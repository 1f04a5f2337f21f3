use super::*;

fn three() -> Candidates {
    let mut candidates = Candidates::default();
    (0..3).for_each(|index| candidates.push(index, 1.0));
    candidates
}

#[test]
fn the_worst_one_is_never_chosen_and_the_best_one_whenever_it_is_drawn() {
    let (candidates, mut draws, mut counts) = (three(), Draws::new(1), [0_u32; 3]);
    let loads = [5.0, 1.0, 3.0];
    for _ in 0..3_000 {
        let (index, other) =
            choose(&candidates, &mut draws, |_| false, |index| loads[index as usize]).expect("there are three");
        assert_ne!(Some(index), other);
        counts[index as usize] += 1;
    }
    assert_eq!(counts[0], 0);
    assert!((1_900..2_100).contains(&counts[1]), "two of three draws have it: {counts:?}");
}

#[test]
fn those_to_avoid_are_avoided_and_the_least_loaded_of_the_rest_is_taken() {
    let (candidates, mut draws) = (three(), Draws::new(1));
    for _ in 0..100 {
        let chosen = choose(&candidates, &mut draws, |index| index != 2, |_| 1.0);
        assert_eq!(chosen, Some((2, None)));
    }
    assert_eq!(choose(&candidates, &mut draws, |_| true, |_| 1.0), None);
    assert_eq!(choose(&Candidates::default(), &mut draws, |_| false, |_| 1.0), None);
}
