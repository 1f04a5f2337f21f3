use super::*;
use crate::op::{Action, Expiry};

fn get(key: &'static str) -> Op {
    Op::new(key.into(), Action::Get)
}

#[test]
fn replies_are_taken_in_order_and_counted_while_they_are_held() {
    let mut run = OpRun::new(vec![get("a"), get("b"), get("c")]);
    run.answer(1, Reply::Int(1));
    run.answer(2, Reply::Int(2));
    assert_eq!((run.take(), run.is_ready(), run.held(), run.waiting()), (None, false, 16, vec![0]));
    run.answer(0, Reply::Null);
    assert_eq!((run.held(), run.held_of_next(2)), (24, 16));
    assert_eq!(run.take(), Some(Reply::Null));
    run.skip(1);
    assert_eq!((run.take(), run.held(), run.is_done()), (Some(Reply::Int(2)), 0, true));
}

#[test]
fn what_was_skipped_is_not_waited_for() {
    let mut run = OpRun::new(vec![get("a"), get("b"), get("c")]);
    run.skip(2);
    assert_eq!(run.waiting(), vec![2]);
}

#[test]
fn no_message_is_sent_that_might_not_fit_and_one_always_is_when_nothing_else_goes() {
    let (large, small) = (get("a"), Op::set("a".into(), "b".into(), Expiry::Never));
    let room = Room::beside(REPLIES_BYTES_MAX - VALUE_LEN_MAX - 1000);
    let reserved = room.reserve([&large].into_iter()).unwrap();
    assert_eq!(room.reserve([&large].into_iter()), None);
    assert!(room.has_refused());
    room.settle(reserved, &[Reply::Null]);
    assert!(room.reserve([&large].into_iter()).is_some());
    let room = Room::beside(REPLIES_BYTES_MAX - 2000);
    assert!(room.reserve([&small].into_iter()).is_some());
    let room = Room::for_one_message();
    assert!(room.reserve(std::iter::repeat_n(&large, 1000)).is_some());
    assert_eq!(room.reserve([&small].into_iter()), None);
}
