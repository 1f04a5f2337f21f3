use super::*;

fn candidates(weights: &[f64]) -> Candidates {
    let mut candidates = Candidates::default();
    weights.iter().enumerate().for_each(|(index, weight)| candidates.push(index as u32, *weight));
    candidates
}

fn shares<const N: usize>(mut draw: impl FnMut() -> usize) -> [u32; N] {
    let mut counts = [0; N];
    (0..10_000).for_each(|_| counts[draw()] += 1);
    counts.map(|count| (count + 50) / 100)
}

#[test]
fn each_is_drawn_as_often_as_its_weight_says() {
    let (candidates, mut draws) = (candidates(&[1.0, 2.0, 7.0]), Draws::new(3));
    let [a, b, c] = shares::<3>(|| candidates.draw(&mut draws));
    assert!((9..=11).contains(&a) && (19..=21).contains(&b) && (68..=72).contains(&c), "{a} {b} {c}");
}

#[test]
fn the_other_one_is_never_the_same_and_as_likely_as_its_weight_among_the_rest() {
    let (candidates, mut draws) = (candidates(&[1.0, 2.0, 3.0]), Draws::new(3));
    let [a, b, c] = shares::<3>(|| candidates.draw_other(&mut draws, 1));
    assert!((23..=27).contains(&a) && b == 0 && (73..=77).contains(&c), "{a} {b} {c}");
    assert_eq!(shares::<3>(|| candidates.draw_other(&mut draws, 2))[2], 0);
    assert_eq!(shares::<3>(|| candidates.draw_other(&mut draws, 0))[0], 0);
}
