use proptest::prelude::*;

use super::*;

fn cells() -> impl Strategy<Value = Cell> {
    let version = (0..4u64, 0..2u16, 0..3u64).prop_map(|(wall_ms, count, node)| Version { wall_ms, count, node });
    // One version is one write: its value follows from it.
    version.prop_map(|version| Cell {
        version,
        value: (version.count == 0).then(|| Bytes::from(format!("{version:?}"))),
        expires_ms: None,
    })
}

fn merged<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Cell {
    cells.into_iter().fold(Cell::default(), |mut into, cell| {
        into.merge(cell.clone());
        into
    })
}

proptest! {
    #[test]
    fn replicas_that_heard_the_same_in_any_order_any_number_of_times_agree(
        heard in prop::collection::vec(cells(), 1..8),
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
    let mut cell = Cell::new(Version { wall_ms: 1_000, count: 0, node: 1 }, Bytes::from_static(b"v"), Some(5_000));
    assert!(cell.is_live(4_999) && !cell.is_live(5_000));
    assert_eq!(cell.due_ms(100), Some(5_000));
    cell.bury();
    assert_eq!(cell.due_ms(100), Some(5_100));
    assert!(!cell.is_forgettable(5_099, 100) && cell.is_forgettable(5_100, 100));
}
