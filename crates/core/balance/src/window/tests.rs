use super::*;

const SPAN: Duration = Duration::from_secs(10);

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn events_are_forgotten_slice_by_slice() {
    let mut window = Window::new(SPAN);
    window.note(at(500), true);
    window.note(at(5_500), false);
    assert_eq!(window.counts(at(9_900)), Counts { all: 2, failed: 1 });
    assert_eq!(window.counts(at(10_100)), Counts { all: 1, failed: 0 });
    assert_eq!(window.counts(at(15_100)), Counts::default());
}

#[test]
fn a_long_pause_forgets_everything() {
    let mut window = Window::new(SPAN);
    (0..10).for_each(|second| window.note(at(second * 1_000), true));
    assert_eq!(window.counts(at(9_000)).all, 10);
    assert_eq!(window.counts(at(3_600_000)), Counts::default());
}

#[test]
fn a_clock_that_steps_back_counts_into_the_latest_slice() {
    let mut window = Window::new(SPAN);
    window.note(at(20_000), false);
    window.note(at(1_000), true);
    assert_eq!(window.counts(at(20_000)), Counts { all: 2, failed: 1 });
    assert_eq!(window.counts(at(30_000)), Counts::default());
}

#[test]
fn one_window_can_be_taken_out_of_the_sum_and_later_turns_do_not_take_it_out_again() {
    let (mut sum, mut one) = (Window::new(SPAN), Window::new(SPAN));
    for millis in (0..8_000).step_by(100) {
        sum.note(at(millis), false);
        if millis % 200 == 0 {
            sum.note(at(millis), true);
            one.note(at(millis), true);
        }
    }
    sum.subtract(at(9_000), &mut one);
    assert_eq!(sum.counts(at(9_000)), Counts { all: 80, failed: 0 });
    assert_eq!(sum.counts(at(10_000)), Counts { all: 70, failed: 0 });
}
