use super::*;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many intervals in which each piece of work waits so long, with one that had luck or bad luck among them.
fn run(shed: &mut LoadShed, from: u64, intervals: u64, delay: Duration, odd: Option<Duration>) -> u64 {
    for interval in 0..intervals {
        for step in 0..10 {
            let delay = odd.filter(|_| step == 5).unwrap_or(delay);
            shed.note_delay(millis(from + interval * 100 + step * 10), delay);
        }
    }
    from + intervals * 100
}

#[test]
fn one_that_waited_long_is_a_burst_and_all_that_waited_long_are_too_much() {
    let mut shed = LoadShed::new(Config::default());
    let now = run(&mut shed, 0, 50, millis(1), Some(millis(500)));
    assert_eq!(shed.admitted(), 1.0);
    let now = run(&mut shed, now, 50, millis(500), Some(millis(1)));
    assert_eq!(shed.admitted(), 1.0, "the queue gets empty in each interval");
    run(&mut shed, now, 11, millis(50), None);
    assert!((0.30..0.40).contains(&shed.admitted()), "cut ten times: {}", shed.admitted());
}

#[test]
fn while_the_delay_falls_nothing_more_is_cut_and_below_the_target_it_grows_again() {
    let mut shed = LoadShed::new(Config::default());
    let mut now = run(&mut shed, 0, 6, millis(200), None);
    let admitted = shed.admitted();
    for delay in [150, 100, 50, 20] {
        now = run(&mut shed, now, 1, millis(delay), None);
    }
    run(&mut shed, now, 1, millis(1), None);
    assert_eq!(shed.admitted(), admitted * CUT, "the last of the growing ones, and no more");
    run(&mut shed, now + 100, 60, millis(1), None);
    assert_eq!(shed.admitted(), 1.0);
}

#[test]
fn a_delay_with_idle_processors_is_somebody_else_s_until_it_is_hopeless() {
    let mut shed = LoadShed::new(Config::default());
    shed.note_busy(0.3);
    let now = run(&mut shed, 0, 20, millis(100), None);
    assert_eq!(shed.admitted(), 1.0);
    run(&mut shed, now, 20, millis(300), None);
    assert!(shed.admitted() < 0.2, "{}", shed.admitted());
}

#[test]
fn the_vital_is_never_refused_and_the_background_goes_first() {
    let mut shed = LoadShed::new(Config::default());
    let now = millis(run(&mut shed, 0, 8, millis(50), None));
    let mut served = |priority| (0..1_000).filter(|random| shed.ask(now, priority, *random).is_ok()).count();
    assert_eq!(served(Priority::Vital), 1_000);
    let (normal, background) = (served(Priority::Normal), served(Priority::Background));
    assert!((400..560).contains(&normal), "{normal}");
    assert!(background < 60, "{background}");
}

#[test]
fn who_is_refused_hears_when_to_come_back_the_later_the_worse_it_is() {
    let told = |intervals| {
        let mut shed = LoadShed::new(Config::default());
        let now = millis(run(&mut shed, 0, intervals, millis(50), None));
        let refused = (0..10_000).filter_map(|random| shed.ask(now, Priority::Normal, random).err());
        refused.map(|after| after.as_secs()).max().expect("some are refused")
    };
    assert_eq!(told(5), 4);
    assert_eq!(told(60), 30);
}

#[test]
fn after_a_pause_all_are_admitted() {
    let mut shed = LoadShed::new(Config::default());
    run(&mut shed, 0, 60, millis(50), None);
    assert_eq!(shed.admitted(), ADMITTED_MIN);
    assert_eq!(shed.ask(millis(60_000), Priority::Normal, 0), Ok(()));
    assert_eq!(shed.admitted(), 1.0);
}
