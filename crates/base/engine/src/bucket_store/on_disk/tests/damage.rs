use super::*;
use crate::stored_code::encode_key;

fn damage(node: &Node, key: &str) {
    let (partition, key) = place(key);
    let table = &node.store.backing().unwrap().table;
    let (cells, stored_key) = (&table.shared.cells, encode_key(table.bucket, partition, key));
    let mut stored = cells.get(&stored_key).unwrap().unwrap().to_vec();
    *stored.last_mut().unwrap() ^= 1;
    cells.insert(stored_key, stored).unwrap();
}

#[test]
fn damage_that_is_read_is_an_error_then_a_gap_and_then_repaired() {
    let node = Node::new();
    let keys: Vec<String> = (0..10).map(|number| format!("{{t}}{number}")).collect();
    keys.iter().for_each(|key| set(&node.store, key, 1, b"value"));
    let (partition, key) = place("{t}3");
    let digest = node.store.digest(partition);
    let whole = node.store.lock(partition).state(key).unwrap().unwrap();
    node.chill();
    damage(&node, "{t}3");
    assert!(matches!(node.store.lock(partition).get(key), Err(Error::Damaged(_))));
    assert_eq!(node.store.damaged(), vec![partition]);
    assert_eq!(get(&node.store, "{t}4").unwrap(), "value");
    node.disk.flush().unwrap();
    assert_eq!(get(&node.store, "{t}3"), None);
    assert_ne!(node.store.digest(partition), digest);
    assert_eq!(node.store.usage().keys, 9);
    assert!(node.store.lock(partition).merge(key, whole).unwrap());
    assert_eq!((node.store.digest(partition), node.store.usage().keys), (digest, 10));
    node.store.repaired(partition);
    assert_eq!(node.store.damaged(), vec![]);
    let node = node.restart();
    assert_eq!(get(&node.store, "{t}3").unwrap(), "value");
}

#[test]
fn damage_that_is_found_at_the_start_is_left_out_and_told() {
    let node = Node::new();
    set(&node.store, "good", 1, b"value");
    set(&node.store, "bad", 1, b"value");
    let node = node.restart();
    damage(&node, "bad");
    let node = node.restart();
    assert_eq!(node.store.damaged(), vec![partition_of(b"bad")]);
    assert_eq!((get(&node.store, "good").unwrap(), get(&node.store, "bad")), ("value".into(), None));
    assert!(node.store.is_empty(partition_of(b"bad")));
    assert_eq!(node.restart().store.damaged(), vec![], "it is removed from the database");
}

#[test]
fn a_damaged_log_makes_everything_suspect_and_the_rest_of_it_is_read() {
    let node = Node::new();
    node.disk.flusher().kill();
    // What was not synced yet would be an ordinary unfinished end.
    node.store.set_durability(Durability::Sync);
    for number in 0..200 {
        set(&node.store, &format!("k{number}"), 1, &[7; 100]);
        node.store.acknowledged().unwrap().block().unwrap();
    }
    let Node { dir, disk, store } = node;
    drop((store, disk));
    let segment = std::fs::read_dir(dir.0.join("log")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100 * 170..][..64].fill(9);
    std::fs::write(&segment, bytes).unwrap();
    let node = Node::at(dir);
    assert_eq!(node.store.damaged().len(), Partition::all().len());
    assert!((198..200).contains(&node.store.usage().keys));
}
