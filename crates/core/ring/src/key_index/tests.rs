use super::*;
use crate::{NodeId, VirtualNode};

#[test]
fn a_directory_is_bounded_but_a_known_key_may_move() {
    let place = VirtualNode { point: Point(1), node: NodeId::default() };
    let mut keys = KeyDirectory { keys_max: 2, ..KeyDirectory::default() };
    assert_eq!([1, 2, 3, 1].map(|key| keys.enter(Point(key), place)), [Ok(()), Ok(()), Err(DirectoryFull(2)), Ok(())]);
    keys.strike(Point(1));
    assert_eq!(keys.enter(Point(3), place), Ok(()));
    assert_eq!((keys.find(Point(1)), keys.find(Point(3)), keys.len()), (None, Some(place), 2));
}
