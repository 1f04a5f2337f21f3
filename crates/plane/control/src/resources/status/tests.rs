use super::*;

use ringway_ring::Member;

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 16])
}

fn layout(previous: &Layout, nodes: &[u8]) -> Layout {
    let members: Vec<Member> = nodes.iter().map(|n| Member { id: id(*n), zone: String::new(), capacity: 1 }).collect();
    Layout::next(previous, &members, 1)
}

fn with_transfer(done: u64, total: u64) -> Report {
    Report { transfer: Some((done, total)), ..Report::default() }
}

#[test]
fn progress_of_a_move_is_what_is_synced_and_what_the_others_say() {
    let from = layout(&Layout::default(), &[1]);
    let to = layout(&from, &[1, 2, 3, 4]);
    let catalog = Catalog { layout: to, moving_from: Some(from), synced: [id(1), id(2)].into(), ..Catalog::default() };
    let reports: Reports = [(id(3), with_transfer(1, 2))].into();
    let moving = ring_summary(&catalog, &reports).moving.unwrap();
    assert_eq!((moving.copies_done, moving.copies_total), (1024 + 512, 3 * 1024));
    assert_eq!(moving.waiting_for, [id(3).short(), id(4).short()]);
}

#[test]
fn a_settled_ring_is_not_moving() {
    let catalog = Catalog { layout: layout(&Layout::default(), &[1]), ..Catalog::default() };
    assert_eq!(ring_summary(&catalog, &Reports::new()).moving, None);
}
