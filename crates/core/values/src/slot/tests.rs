use super::*;

fn dot(time: u64) -> Dot {
    Dot { time, node: 1 }
}

#[test]
fn the_latest_write_is_read_and_the_next_one_appears_when_it_is_gone() {
    let mut slot = Slot::new(dot(2), "two");
    slot.insert(dot(3), "three");
    slot.insert(dot(1), "one");
    slot.insert(dot(3), "again");
    assert_eq!(slot.writes().map(|(_, value)| *value).collect::<Vec<_>>(), ["three", "two", "one"]);
    slot.forget(|write| write == dot(3));
    assert_eq!((slot.dot, slot.value, slot.write_count()), (dot(2), "two", 2));
    assert!(slot.clone().without(|_| true).is_none());
    let left = slot.without(|write| write == dot(2)).unwrap();
    assert_eq!(left, Slot::new(dot(1), "one"));
}
