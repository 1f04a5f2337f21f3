use super::*;
use crate::{NodeId, VirtualNode};

fn place(point: u64) -> VirtualNode {
    VirtualNode { point: Point(point), node: NodeId::from_bytes([point as u8; 16]) }
}

#[test]
fn the_first_at_or_past_the_key_owns_it_and_the_circle_closes() {
    let ring = vec![place(10), place(20), place(30)];
    let owners = [0, 10, 11, 30, 31].map(|key| owner_among(&ring, Point(key)));
    assert_eq!(owners, [Some(0), Some(0), Some(1), Some(2), Some(0)]);
    assert_eq!(owner_among(&Vec::<VirtualNode>::new(), Point(0)), None);
}

#[test]
fn a_table_is_sorted_and_names_the_heirs_behind_the_owner() {
    let table = NodeTable::of(place(20), vec![place(30), place(10), place(20), place(10)]);
    let mut next = Next::new(4);
    assert_eq!(table.entries(), 3);
    assert_eq!(table.look(Point(15), &mut next), Verdict::Mine);
    assert_eq!(table.look(Point(25), &mut next), Verdict::Ask);
    assert_eq!(next.as_slice(), [place(30), place(10), place(20)]);
}
