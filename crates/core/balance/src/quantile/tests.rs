use super::*;
use crate::draws::Draws;

/// Exponential, 10 ms on average: the 95th percentile is at 30 ms.
fn feed(quantile: &mut Quantile, draws: &mut Draws, count: u32, scale: f64) {
    (0..count).for_each(|_| quantile.note(Duration::from_secs_f64(-0.010 * scale * (1.0 - draws.unit()).ln())));
}

/// The share of the time that the estimate is where it belongs.
fn right_share(quantile: &mut Quantile, draws: &mut Draws, scale: f64, within: f64) -> f64 {
    let truth = 0.010 * scale * 20_f64.ln();
    let right = (0..1_000).filter(|_| {
        feed(quantile, draws, 10, scale);
        let estimate = quantile.estimate().expect("fed").as_secs_f64();
        (estimate / truth).ln().abs() < within
    });
    right.count() as f64 / 1_000.0
}

#[test]
fn the_estimate_is_near_the_percentile_nearly_all_the_time() {
    let (mut quantile, mut draws) = (Quantile::new(0.95), Draws::new(5));
    feed(&mut quantile, &mut draws, 300, 1.0);
    let right = right_share(&mut quantile, &mut draws, 1.0, 0.25);
    assert!(right > 0.95, "{right}");
}

#[test]
fn it_follows_when_everything_gets_slower_and_faster_again() {
    let (mut quantile, mut draws) = (Quantile::new(0.95), Draws::new(5));
    for scale in [1.0, 8.0, 1.0] {
        feed(&mut quantile, &mut draws, 2_000, scale);
        let right = right_share(&mut quantile, &mut draws, scale, 0.25);
        assert!(right > 0.9, "{scale}: {right}");
    }
}

#[test]
fn a_sample_broken_off_above_the_estimate_counts_as_the_whole_one() {
    let (mut whole, mut broken_off) = (Quantile::new(0.95), Quantile::new(0.95));
    let mut draws = Draws::new(5);
    for _ in 0..5_000 {
        let took = Duration::from_secs_f64(-0.010 * (1.0 - draws.unit()).ln());
        whole.note(took);
        let cut = broken_off.estimate().map_or(took, |estimate| took.min(estimate + Duration::from_nanos(10)));
        broken_off.note(cut);
    }
    let (whole, cut) =
        (whole.estimate().expect("fed").as_secs_f64(), broken_off.estimate().expect("fed").as_secs_f64());
    assert!((whole / cut - 1.0).abs() < 0.01, "{whole} {cut}");
}
