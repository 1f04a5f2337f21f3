use proptest::prelude::*;

use super::*;

fn registers() -> impl Strategy<Value = Register> {
    let version = (0..4u64, 0..2u16, 0..3u64).prop_map(|(wall_ms, count, node)| Version { wall_ms, count, node });
    // One version is one write: its value follows from it.
    version.prop_map(|version| Register {
        version,
        value: (version.count == 0).then(|| Bytes::from(format!("{version:?}"))),
        expires_ms: None,
        marks: u64::from(version.count),
    })
}

fn merged<'a>(registers: impl IntoIterator<Item = &'a Register>) -> Register {
    registers.into_iter().fold(Register::default(), |mut into, register| {
        into.merge(register.clone());
        into
    })
}

proptest! {
    #[test]
    fn replicas_that_heard_the_same_in_any_order_any_number_of_times_agree(
        heard in prop::collection::vec(registers(), 1..8),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut other = heard.clone();
        other.extend(again.iter().map(|at| at.get(&heard).clone()));
        other.reverse();
        prop_assert_eq!(merged(&heard), merged(&other));
    }
}

#[test]
fn an_expired_value_is_not_seen_and_is_forgotten_only_after_the_retention() {
    let mut register =
        Register::new(Version { wall_ms: 1_000, count: 0, node: 1 }, Bytes::from_static(b"v"), Some(5_000));
    assert!(register.is_live(4_999) && !register.is_live(5_000));
    assert_eq!(register.due_ms(100), Some(5_000));
    register.bury();
    assert_eq!(register.due_ms(100), Some(5_100));
    assert!(!register.is_forgettable(5_099, 100) && register.is_forgettable(5_100, 100));
}
