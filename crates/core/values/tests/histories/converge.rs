//! Random histories of all commands on three replicas of one key, over a network that loses, repeats and reorders, with partitions
//! that heal: in the end all are equal. A failure prints the steps, shrunk to the fewest, and the seed that replays them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use ringway_values::{Kind, State};

use crate::world::{Command, Done, REPLICAS, Step, World, elements, steps};

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => any::<u8>().prop_map(Command::Set),
        2 => Just(Command::Del),
        1 => (0..400u16).prop_map(Command::Expire),
        1 => Just(Command::Persist),
        3 => any::<i8>().prop_map(Command::Incr),
        1 => prop::sample::select(vec![Kind::List, Kind::Hash, Kind::Set, Kind::SortedSet]).prop_map(Command::Store),
        4 => hash_command(),
        4 => list_command(),
        2 => prop_oneof![(0..6u8).prop_map(Command::SAdd), (0..6u8).prop_map(Command::SRem)],
        2 => prop_oneof![
            (0..6u8, any::<i8>()).prop_map(|(member, score)| Command::ZAdd(member, score)),
            (0..6u8).prop_map(Command::ZRem),
        ],
    ]
}

fn hash_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => (0..6u8, any::<u8>()).prop_map(|(field, value)| Command::HSet(field, value)),
        1 => (0..6u8).prop_map(Command::HDel),
    ]
}

fn list_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => Just(Command::LPush),
        3 => Just(Command::RPush),
        1 => Just(Command::LPop),
        1 => Just(Command::RPop),
        2 => any::<u8>().prop_map(Command::LInsert),
        1 => any::<u8>().prop_map(Command::LSet),
        1 => any::<u8>().prop_map(Command::LRem),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Command::LTrim(from, to)),
    ]
}

/// Runs the steps, heals, and says what was done.
fn run(steps: &[Step]) -> (World, Vec<Done>) {
    let mut world = World::new();
    let done = steps.iter().filter_map(|step| world.step(step)).collect();
    world.heal();
    for replica in 1..REPLICAS {
        assert_eq!(world.dump(replica), world.dump(0));
    }
    (world, done)
}

/// The commands that nobody undid who had seen them: `undoes` says whether the second is against the first.
fn standing(done: &[Done], undoes: impl Fn(&Done, &Done) -> bool) -> Vec<&Done> {
    let undone = |one: &Done| done.iter().any(|other| other.seen.contains(&one.id) && undoes(one, other));
    done.iter().filter(|one| !undone(one)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn replicas_become_equal_whatever_happened(steps in steps(any_command(), 90)) {
        run(&steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_counter_is_the_sum_of_all_increments(steps in steps(any::<i8>().prop_map(Command::Incr), 60)) {
        let (world, done) = run(&steps);
        let sum: i64 = done.iter().map(|one| if let Command::Incr(by) = one.command { by.into() } else { 0 }).sum();
        let value = world.replicas[0].state.string(0).unwrap().unwrap_or_default();
        prop_assert_eq!(if value.is_empty() { "0".into() } else { String::from_utf8(value.to_vec()).unwrap() }, sum.to_string());
    }

    #[test]
    fn only_what_was_seen_is_removed_or_overwritten(
        steps in steps(prop_oneof![6 => hash_command(), 1 => Just(Command::Del)], 80),
    ) {
        let (world, done) = run(&steps);
        let left = standing(&done, |one, other| match (&one.command, &other.command) {
            (Command::HSet(field, _), Command::HSet(same, _) | Command::HDel(same)) => field == same,
            (_, command) => matches!(command, Command::Del),
        });
        let mut expected = BTreeMap::new();
        for one in left {
            if let Command::HSet(field, value) = one.command {
                let latest = expected.entry(vec![field]).or_insert((one.version, value));
                *latest = (*latest).max((one.version, value));
            }
        }
        let expected: Vec<_> =
            expected.into_iter().map(|(field, (_, value))| (field, format!("{:?}", &[value][..]))).collect();
        prop_assert_eq!(elements(&world.replicas[0].state), expected);
    }

    #[test]
    fn a_list_keeps_the_order_in_which_each_writer_pushed_and_loses_nothing(
        steps in steps(prop_oneof![Just(Command::RPush), Just(Command::LPush), Just(Command::LInsert(3))], 80),
    ) {
        let (world, done) = run(&steps);
        let list = elements(&world.replicas[0].state);
        let ids: Vec<u64> = list.iter().map(|(value, _)| String::from_utf8(value.clone()).unwrap().parse().unwrap()).collect();
        prop_assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), done.iter().map(|one| one.id).collect::<BTreeSet<_>>());
        prop_assert_eq!(ids.len(), done.len());
        let place = |id: u64| ids.iter().position(|other| *other == id);
        for (at, one) in done.iter().enumerate() {
            for later in done[at + 1..].iter().filter(|later| later.seen.contains(&one.id)) {
                match later.command {
                    Command::RPush => prop_assert!(place(later.id) > place(one.id), "{ids:?}"),
                    Command::LPush => prop_assert!(place(later.id) < place(one.id), "{ids:?}"),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn what_comes_back_from_bytes_is_what_went(steps in steps(any_command(), 60)) {
        let (world, _) = run(&steps);
        let state = &world.replicas[0].state;
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        let back = State::decode(&bytes).unwrap();
        prop_assert_eq!(back.digest(b"key"), state.digest(b"key"));
        prop_assert_eq!(elements(&back), elements(state));
        let mut again = Vec::new();
        back.encode(&mut again);
        prop_assert_eq!(bytes, again);
    }
}
