use super::*;

fn at(wall_ms: u64, node: u64) -> Version {
    Version { wall_ms, count: 0, node }
}

#[test]
fn what_two_nodes_add_at_the_same_time_is_added_up() {
    let mut one = Counter::new(at(1, 1), 5, None);
    let mut other = one.clone();
    assert_eq!(one.add(at(2, 1), 10), Some(15));
    assert_eq!(other.add(at(2, 2), -3), Some(2));
    assert!(one.merge(other.clone()) && other.merge(one.clone()));
    assert_eq!((one.value(), other.value()), (12, 12));
    assert!(!one.merge(other));
}

#[test]
fn a_later_base_wins_whole() {
    let mut old = Counter::new(at(1, 1), 5, None);
    old.add(at(9, 1), 10);
    let new = Counter::new(at(3, 2), 0, None);
    assert!(old.merge(new.clone()));
    assert_eq!(old.value(), 0);
    let mut newer = new;
    assert!(!newer.merge(Counter::new(at(1, 1), 5, None)));
}

#[test]
fn an_overflow_changes_nothing() {
    let mut counter = Counter::new(at(1, 1), i64::MAX - 1, None);
    assert_eq!(counter.add(at(2, 1), 1), Some(i64::MAX));
    let before = counter.clone();
    assert_eq!(counter.add(at(3, 1), 1), None);
    assert_eq!(counter, before);
}

#[test]
fn two_replicas_that_begin_a_new_window_add_to_one_base() {
    let mut one = Counter::after_expiry(at(10, 1), 500);
    let mut other = Counter::after_expiry(at(10, 1), 500);
    one.add(at(501, 1), 1);
    other.add(at(502, 2), 1);
    one.merge(other);
    assert_eq!(one.value(), 2);
    assert!(one.is_live(u64::MAX));
}

#[test]
fn an_expired_counter_is_buried_once_and_forgotten_after_the_retention() {
    let mut counter = Counter::new(at(1, 1), 5, Some(500));
    assert_eq!(counter.due_ms(100), Some(500));
    counter.bury();
    assert_eq!(counter.due_ms(100), Some(600));
    assert!(!counter.is_forgettable(599, 100) && counter.is_forgettable(600, 100));
}
