//! Bytes from a disk or a peer that are not what was written: random, cut off, changed. They are refused or read as some state, never
//! a panic, and never more memory than the input could justify.

use proptest::prelude::*;
use ringway_values::{Kind, State, Update};

use crate::world::{Command, World, elements, steps};

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        any::<i8>().prop_map(Command::Incr),
        (0..6u8, any::<u8>()).prop_map(|(field, value)| Command::HSet(field, value)),
        (0..6u8, any::<i8>()).prop_map(|(member, score)| Command::ZAdd(member, score)),
        Just(Command::RPush),
        any::<u8>().prop_map(Command::LInsert),
        any::<u8>().prop_map(Command::LSet),
        (0..6u8).prop_map(Command::SAdd),
        Just(Command::Store(Kind::List)),
        Just(Command::Del),
    ]
}

/// Whatever was read has to work like any other.
fn use_it(state: &State) {
    let mut bytes = Vec::new();
    state.encode(&mut bytes);
    let mut back = State::decode(&bytes).expect("what was written can be read");
    back.merge(state.clone());
    assert_eq!(back.digest(b"key"), state.digest(b"key"));
    state.heap_bytes();
    elements(state);
}

fn read(bytes: &[u8]) {
    if let Ok(state) = State::decode(bytes) {
        use_it(&state);
    }
    if let Ok(Update::Delta(delta)) = Update::decode(bytes) {
        let mut state = State::default();
        state.apply(&delta);
        use_it(&state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), format in prop::option::of(0..3u8)) {
        let mut bytes = bytes;
        if let Some(sort) = format {
            bytes.splice(0..0, [1, sort]);
        }
        read(&bytes);
        bytes.insert(0, 1);
        read(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn written_bytes_with_faults(
        steps in steps(any_command(), 50),
        faults in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 40),
    ) {
        let mut world = World::new();
        steps.iter().for_each(|step| drop(world.step(step)));
        for replica in &world.replicas {
            let mut bytes = Vec::new();
            replica.state.encode(&mut bytes);
            for (at, byte, sort) in &faults {
                let (mut damaged, at) = (bytes.clone(), at.index(bytes.len()));
                match sort {
                    0 => damaged.truncate(at),
                    1 => damaged[at] = *byte,
                    _ => damaged[at] ^= 1 << (byte % 8),
                }
                read(&damaged);
            }
        }
    }
}

#[test]
fn a_promise_of_many_elements_allocates_nothing() {
    // A hash without context that promises 2^62 fields, one of which promises 2^62 bytes.
    let mut bytes = vec![1, 2, 2, 0];
    bytes.extend([0; 9 + 9 + 9 + 1 + 1]);
    bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f]);
    assert!(State::decode(&bytes).is_err());
}
