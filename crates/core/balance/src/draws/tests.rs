use super::*;

#[test]
fn draws_below_a_bound_keep_it_and_reach_every_number() {
    let mut draws = Draws::new(7);
    let mut seen = [0_u32; 5];
    (0..5_000).for_each(|_| seen[draws.below(5) as usize] += 1);
    assert!(seen.iter().all(|count| (850..1_150).contains(count)), "{seen:?}");
    assert_eq!(draws.below(0), 0);
}

#[test]
fn jitter_stays_within_its_share_on_both_sides() {
    let mut draws = Draws::new(1);
    let all: Vec<Duration> = (0..1_000).map(|_| draws.jitter(Duration::from_secs(10), 0.2)).collect();
    let (least, most) = (all.iter().min().expect("some"), all.iter().max().expect("some"));
    assert!(*least >= Duration::from_secs(8) && *least < Duration::from_millis(8_200), "{least:?}");
    assert!(*most <= Duration::from_secs(12) && *most > Duration::from_millis(11_800), "{most:?}");
}
