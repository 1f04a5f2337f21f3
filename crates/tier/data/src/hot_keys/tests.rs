use super::*;

/// Numbers from 0 to 1, always the same ones.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn name(number: u64) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

fn hash(number: u64) -> u64 {
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Uses at `rate` a second from `from_ms` on, of the keys that `pick` gives; sampled.
fn run(hot: &mut HotKeys, from_ms: u64, seconds: u64, rate: u64, mut pick: impl FnMut() -> u64) {
    for use_number in 0..seconds * rate {
        let number = pick();
        if is_looked_at(use_number) {
            hot.note(hash(number), &name(number), from_ms + use_number * 1000 / rate);
        }
    }
}

fn keys(top: &[Hot]) -> Vec<String> {
    top.iter().map(|hot| String::from_utf8_lossy(&hot.key).into_owned()).collect()
}

#[test]
fn one_use_in_so_many_is_looked_at_whatever_the_period_of_the_uses() {
    assert_eq!((0..64_000).filter(|number| is_looked_at(*number)).count(), 1000);
    for period in [2, 64, 128] {
        let looked_at = (0..640_000u64).filter(|number| is_looked_at(*number) && number % period == 0).count() as f64;
        let expected = 640_000.0 / ONE_IN as f64 / period as f64;
        assert!((looked_at / expected - 1.0).abs() < 0.25, "{looked_at} of {expected} with period {period}");
    }
}

#[test]
fn the_hottest_of_a_million_keys_are_found_with_their_rates() {
    let (mut hot, mut dice) = (HotKeys::default(), Dice(1));
    // A tenth of all uses is of key 0, a twentieth of key 1; the rest is of a million.
    run(&mut hot, 0, 60, 20_000, || match dice.roll() {
        roll if roll < 0.10 => 0,
        roll if roll < 0.15 => 1,
        roll => 2 + (roll * 1e6) as u64,
    });
    let top = hot.top(2, 60_000);
    assert_eq!(keys(&top), ["key:0", "key:1"]);
    for (found, rate) in top.iter().zip([2000.0, 1000.0]) {
        assert!((found.per_second / rate - 1.0).abs() < 0.2, "{found:?} is used {rate} times a second");
        assert!(found.error < 0.2 * rate, "{found:?}");
    }
    let total = hot.total_per_second(60_000);
    assert!((total / 20_000.0 - 1.0).abs() < 0.1, "{total}");
}

#[test]
fn a_rate_is_right_from_the_first_seconds_on() {
    let mut hot = HotKeys::default();
    run(&mut hot, 5_000, 2, 100_000, || 7);
    let rate = hot.top(1, 7_000)[0].per_second;
    assert!((rate / 100_000.0 - 1.0).abs() < 0.15, "{rate}");
}

#[test]
fn what_was_hot_cools_and_what_becomes_hot_overtakes_it() {
    let (mut hot, mut dice) = (HotKeys::default(), Dice(2));
    let mut others = move || 10 + (dice.roll() * 1e5) as u64;
    let mut turn = 0;
    let mut half_of = |key: u64| {
        turn += 1;
        if turn % 2 == 0 { key } else { others() }
    };
    run(&mut hot, 0, 60, 10_000, || half_of(1));
    assert_eq!(keys(&hot.top(1, 60_000)), ["key:1"]);
    run(&mut hot, 60_000, 15, 10_000, || half_of(2));
    assert_eq!(keys(&hot.top(2, 75_000)), ["key:2", "key:1"]);
    let idle = hot.top(1, 75_000 + 6 * HALF_LIFE_MS)[0].per_second;
    assert!(idle < 5000.0 / 60.0, "{idle} after a minute without any use");
}

#[test]
fn a_day_of_uses_leaves_the_rates_as_they_are() {
    let mut hot = HotKeys::default();
    for second in 0..86_400u64 {
        hot.note(hash(1), b"steady", second * 1000);
    }
    let rate = hot.top(1, 86_400_000)[0].per_second;
    assert!((rate / ONE_IN as f64 - 1.0).abs() < 0.1, "{rate}");
}

#[test]
fn keys_and_counters_are_bounded() {
    let mut hot = HotKeys::default();
    let long = vec![b'x'; 1 << 20];
    for number in 0..100_000 {
        hot.note(hash(number), &long, number);
    }
    assert_eq!((hot.counters.len(), hot.hashes.len()), (COUNTERS, COUNTERS));
    assert!(hot.counters.iter().all(|counter| counter.key.capacity() <= 2 * KEY_LEN_MAX));
}

#[test]
fn a_count_is_never_too_low_and_too_high_by_its_error_at_most() {
    let (mut hot, mut dice) = (HotKeys::default(), Dice(3));
    let mut counts = std::collections::HashMap::new();
    for _ in 0..50_000 {
        // Few are used often, many seldom.
        let number = (1.0 / (dice.roll() + 1e-4)) as u64;
        *counts.entry(hash(number)).or_insert(0.0) += 1.0;
        hot.note(hash(number), &name(number), 0);
    }
    for (counter, hash) in hot.counters.iter().zip(&hot.hashes) {
        let real = counts[hash];
        assert!(counter.count >= real && counter.count - counter.error <= real, "{counter:?} of {real}");
    }
}

#[test]
fn a_clock_that_goes_back_harms_nothing() {
    let mut hot = HotKeys::default();
    hot.note(1, b"a", 1_000_000);
    hot.note(1, b"a", 10);
    let top = hot.top(1, 5);
    assert!(top[0].per_second.is_finite() && top[0].per_second > 0.0, "{top:?}");
}
