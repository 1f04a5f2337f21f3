//! Bad days by the dozen. `SIM_SEED=n` runs one day and prints the end of it, `SIM_SEEDS=n` runs that many.

use ringway_sim::sweep::{Broken, Day, day};

const SEEDS: u64 = 60;
const SEEDS_PLAIN: u64 = 10;

/// One day, or all of them. A failure says how to replay it.
fn days(count: u64, plain: bool) -> Vec<Day> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let chosen = number("SIM_SEED");
    let count = number("SIM_SEEDS").unwrap_or(count);
    let seeds: Vec<u64> = chosen.map_or_else(|| (1..=count).collect(), |seed| vec![seed]);
    let results: Vec<Result<Day, Box<Broken>>> = seeds.into_iter().map(|seed| day(seed, plain)).collect();
    let broken: Vec<&Broken> = results.iter().filter_map(|result| result.as_ref().err()).map(Box::as_ref).collect();
    if chosen.is_some() {
        broken.iter().flat_map(|broken| &broken.trace).for_each(|line| println!("{line}"));
    }
    let list: Vec<String> = broken.iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "{} of {} days:\n{}", broken.len(), results.len(), list.join("\n"));
    results.into_iter().flatten().collect()
}

#[test]
fn no_answer_is_wrong_while_the_ring_is_whole_and_after_healing_it_is_ideal() {
    let days = days(SEEDS, false);
    let (right, lost): (u64, u64) = days.iter().fold((0, 0), |sum, day| (sum.0 + day.right, sum.1 + day.lost));
    let slowest = days.iter().map(|day| day.converged_in).max();
    println!("{} days: {right} lookups right, {lost} lost, slowest healing {slowest:?}", days.len());
    assert!(lost * 200 < right, "{lost} lost of {right}");
}

#[test]
fn the_same_days_find_wrong_answers_when_the_owner_is_not_asked() {
    let wrong: u64 = days(SEEDS_PLAIN, true).iter().map(|day| day.wrong).sum();
    assert!(wrong > 0, "the sweep is too tame to find anything");
}

#[test]
fn the_same_seed_makes_the_same_day() {
    assert_eq!(day(7, false).map_err(|broken| broken.what), day(7, false).map_err(|broken| broken.what));
}
