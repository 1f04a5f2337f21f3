use super::*;

fn at(wall_ms: u64, node: u64) -> Version {
    Version { wall_ms, count: 0, node }
}

fn string(version: Version, value: &'static str) -> State {
    State::Register(Register::new(version, Bytes::from_static(value.as_bytes()), None))
}

fn hash(version: Version) -> State {
    let mut state = State::default();
    let mut edit = state.open(Kind::Hash, 0, version).unwrap();
    edit.hash_set(b"f", b"v");
    edit.finish();
    state
}

fn incremented(mut state: State, version: Version) -> State {
    state.counter(0).unwrap().unwrap().add(version, 1).unwrap();
    state
}

#[test]
fn a_command_for_another_kind_is_told_what_is_there() {
    let mut state = hash(at(1, 1));
    assert_eq!(state.list(0).unwrap_err(), WrongKind(Kind::Hash));
    assert_eq!(state.open(Kind::Set, 0, at(2, 1)).unwrap_err(), WrongKind(Kind::Hash));
    assert_eq!(state.counter(0).unwrap_err(), WrongKind(Kind::Hash));
    assert_eq!(string(at(1, 1), "x").hash(0).unwrap_err(), WrongKind(Kind::String));
    assert!(State::default().hash(0).unwrap().is_none());
}

#[test]
fn a_later_string_replaces_a_collection_and_an_earlier_one_only_what_is_older_than_it() {
    let mut state = hash(at(1, 1));
    let State::Collection(_) = &state else { panic!("{state:?}") };
    let mut edit = state.open(Kind::Hash, 0, at(5, 1)).unwrap();
    edit.hash_set(b"g", b"v");
    edit.finish();
    let mut replaced = state.clone();
    assert!(replaced.merge(string(at(6, 2), "s")));
    assert_eq!(replaced.string(0).unwrap().unwrap(), "s");
    assert!(state.merge(string(at(3, 2), "s")));
    let left = state.hash(0).unwrap().unwrap();
    assert_eq!(left.iter().map(|(field, _)| field).collect::<Vec<_>>(), [b"g"]);
}

#[test]
fn a_string_that_is_a_number_is_counted_on_and_another_is_not() {
    let counted = incremented(string(at(1, 1), "41"), at(2, 1));
    assert_eq!(counted.string(0).unwrap().unwrap(), "42");
    for text in ["", "+1", "01", " 1", "1 ", "9223372036854775808", "1.0"] {
        assert!(string(at(1, 1), text).counter(0).unwrap().is_none(), "{text:?}");
    }
}

#[test]
fn increments_on_both_sides_of_a_partition_add_up_over_strings_tombstones_and_nothing() {
    for start in [string(at(1, 1), "40"), State::Register(Register::tombstone(at(1, 1))), State::default()] {
        let mut one = incremented(start.clone(), at(2, 1));
        let other = incremented(start.clone(), at(2, 2));
        one.merge(start.clone());
        assert!(one.merge(other));
        let before: i64 =
            start.string(0).unwrap().map_or(0, |text| std::str::from_utf8(&text).unwrap().parse().unwrap());
        assert_eq!(one.string(0).unwrap().unwrap(), (before + 2).to_string());
    }
}

#[test]
fn what_is_counted_over_an_emptied_collection_stays() {
    let mut state = hash(at(1, 1));
    assert!(state.remove(0, at(2, 1)).is_some());
    let emptied = state.clone();
    let mut counted = incremented(state, at(3, 1));
    assert!(!counted.merge(emptied));
    assert_eq!(counted.string(0).unwrap().unwrap(), "1");
}

#[test]
fn an_expired_collection_is_emptied_by_whoever_writes_next() {
    let mut state = hash(at(1, 1));
    state.set_expiry(0, at(2, 1), Some(100));
    assert_eq!((state.kind(), state.live_kind(100)), (Some(Kind::Hash), None));
    let mut edit = state.open(Kind::List, 100, at(100, 1)).unwrap();
    edit.push_back(b"x");
    let delta = edit.finish().unwrap();
    assert_eq!((state.live_kind(u64::MAX), state.expires_ms()), (Some(Kind::List), None));
    let mut other = hash(at(1, 1));
    other.set_expiry(0, at(2, 1), Some(100));
    assert_eq!(other.apply(&delta), Applied::Changed);
    assert_eq!(other.digest(b"k"), state.digest(b"k"));
}

#[test]
fn a_collection_opened_for_nothing_is_a_tombstone_again() {
    let mut state = State::default();
    let mut edit = state.open(Kind::Hash, 0, at(1, 1)).unwrap();
    assert!(!edit.hash_remove(b"f"));
    assert!(edit.finish().is_none());
    state.settle();
    assert!(state.is_unknown());
}

#[test]
fn overwriting_makes_another_kind_of_it_at_every_replica() {
    let mut state = hash(at(1, 1));
    let mut other = state.clone();
    let mut edit = state.overwrite(Kind::Set, at(2, 1));
    edit.set_add(b"m");
    let delta = edit.finish().unwrap();
    assert_eq!(other.apply(&delta), Applied::Changed);
    for state in [&state, &other] {
        assert!(state.set(0).unwrap().unwrap().contains(b"m"));
        assert_eq!(state.digest(b"k"), other.digest(b"k"));
    }
}

#[test]
fn a_counter_is_overwritten_by_the_delta_of_who_had_seen_it() {
    let mut state = incremented(State::default(), at(1, 1));
    let mut other = state.clone();
    let mut edit = state.overwrite(Kind::Set, at(2, 1));
    edit.set_add(b"m");
    let delta = edit.finish().unwrap();
    let mut unseen = incremented(string(at(1, 2), "7"), at(3, 2));
    assert_eq!(unseen.apply(&delta), Applied::Gap, "its base is as late as the counter that was overwritten");
    assert_eq!((other.apply(&delta), other.apply(&delta)), (Applied::Changed, Applied::Known));
    assert_eq!(other.digest(b"k"), state.digest(b"k"));
}

#[test]
fn the_account_of_bytes_comes_back_to_what_it_was() {
    let mut state = State::default();
    let mut wall_ms = 1;
    let mut step = |state: &mut State, f: &dyn Fn(&mut Edit<'_>)| {
        wall_ms += 1;
        let mut edit = state.open(Kind::SortedSet, 0, at(wall_ms, 1)).unwrap();
        f(&mut edit);
        edit.finish();
    };
    let member = |n: usize| [7; 104][..n % 100 + 4].to_vec();
    step(&mut state, &|edit| assert_eq!(edit.zset_put(b"first", 1.0), None));
    let start = state.heap_bytes();
    step(&mut state, &|edit| (0..1_000).for_each(|n| assert_eq!(edit.zset_put(&member(n), 0.0).is_none(), n < 100)));
    assert!(state.heap_bytes() > start + 100 * 100);
    step(&mut state, &|edit| (0..100).for_each(|n| assert!(edit.zset_remove(&member(n)).is_some())));
    assert!(state.heap_bytes() < start + 2_000, "{} and {start}", state.heap_bytes());
}
