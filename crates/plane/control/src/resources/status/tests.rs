use super::*;

use ringway_ring::{Layout, Member};

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 16])
}

fn layout(previous: &Layout, nodes: &[u8]) -> Layout {
    let members: Vec<Member> = nodes.iter().map(|n| Member { id: id(*n), zone: String::new(), capacity: 1 }).collect();
    Layout::next(previous, &members, 1)
}

#[test]
fn a_settled_ring_is_not_moving_and_forgets_how_much_there_was() {
    let catalog = Catalog { layout: layout(&Layout::default(), &[1]), ..Catalog::default() };
    let most = AtomicU64::new(7);
    assert_eq!(ring_summary(&catalog, &Reports::new(), &most).moving, None);
    assert_eq!(most.into_inner(), 0);
}
