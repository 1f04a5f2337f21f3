use super::*;

fn nodes(list: &[(u8, Reach)]) -> BTreeMap<NodeId, Reach> {
    list.iter().map(|(number, reach)| (NodeId::from_bytes([*number; 16]), *reach)).collect()
}

#[test]
fn who_comes_back_is_asked_and_this_node_knows_whether_it_was_the_one_that_was_away() {
    use Reach::{Down, Suspect, Up};
    let mut presence = Presence::default();
    let node = |number| NodeId::from_bytes([number; 16]);
    let first = presence.see(&nodes(&[(1, Up), (2, Suspect), (3, Down)]));
    assert_eq!(first, Change { back: vec![node(1), node(2)], was_away: true }, "a start is like a return");
    assert_eq!(presence.see(&nodes(&[(1, Up), (2, Up), (3, Down)])), Change::default());
    let back = presence.see(&nodes(&[(1, Up), (2, Up), (3, Up)]));
    assert_eq!(back, Change { back: vec![node(3)], was_away: false }, "it was the other one");
    assert_eq!(presence.see(&nodes(&[(1, Down), (2, Down), (3, Up)])), Change::default());
    let back = presence.see(&nodes(&[(1, Up), (2, Up), (3, Up)]));
    assert_eq!(back, Change { back: vec![node(1), node(2)], was_away: true });
}
