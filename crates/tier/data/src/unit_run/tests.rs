use super::*;
use ringway_ring::partition_of;

fn unit(words: &[&str]) -> Unit {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    Unit::one(partition_of(words[1]), &words)
}

fn get(key: &str) -> Unit {
    unit(&["GET", key])
}

#[test]
fn replies_are_taken_in_order_and_counted_while_they_are_held() {
    let mut run = UnitRun::new(vec![get("a"), get("b"), get("c")], RespVersion::Two);
    run.answer(1, ":1\r\n".into());
    run.answer(2, ":2\r\n".into());
    assert_eq!((run.take(), run.is_ready(), run.held(), run.waiting()), (None, false, 8, vec![0]));
    run.answer(0, "$-1\r\n".into());
    assert_eq!((run.held(), run.held_of_next(2)), (13, 9));
    assert_eq!(run.take(), Some("$-1\r\n".into()));
    run.skip(1);
    assert_eq!((run.take(), run.held(), run.is_done()), (Some(":2\r\n".into()), 0, true));
}

#[test]
fn what_was_skipped_is_not_waited_for() {
    let mut run = UnitRun::new(vec![get("a"), get("b"), get("c")], RespVersion::Two);
    run.skip(2);
    assert_eq!(run.waiting(), vec![2]);
}

#[test]
fn no_message_is_sent_that_might_not_fit_and_one_always_is_when_nothing_else_goes() {
    let (large, small) = (get("a"), unit(&["DEL", "a"]));
    let room = Room::beside(ROOM_BYTES - MESSAGE_BYTES_MAX);
    let reserved = room.reserve(std::iter::repeat_n(&large, 1000)).unwrap();
    assert_eq!(room.reserve([&large].into_iter()), None);
    assert!(room.has_refused());
    room.settle(reserved, &["$-1\r\n".into()]);
    assert!(room.reserve([&large].into_iter()).is_some());
    let room = Room::beside(ROOM_BYTES - 2000);
    assert!(room.reserve([&small].into_iter()).is_some());
    let room = Room::for_one_message();
    assert!(room.reserve(std::iter::repeat_n(&large, 1000)).is_some());
    assert_eq!(room.reserve([&small].into_iter()), None);
}
