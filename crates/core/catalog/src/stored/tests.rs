use super::*;
use crate::tests::{cluster, node};
use crate::{Command, Stamped};
use ringway_ring::Member;

/// A catalog as the first release stored it, in the middle of a change from two nodes to three.
fn old_json(synced: &[u8]) -> String {
    let members = |count: u8| -> Vec<Member> { (1..=count).map(|n| node(n).as_member()).collect() };
    let from = Layout::next(&Layout::default(), &members(2), 3);
    let layout = Layout::next(&from, &members(3), 3);
    let nodes: BTreeMap<NodeId, NodeInfo> = (1..=3).map(|n| (node(n).id, node(n))).collect();
    let synced: Vec<NodeId> = synced.iter().map(|n| node(*n).id).collect();
    serde_json::json!({
        "revision": 9, "cluster_id": "c", "nodes": nodes, "layout": layout, "moving_from": from, "synced": synced,
    })
    .to_string()
}

#[test]
fn a_catalog_of_the_first_release_goes_on_where_it_was() {
    let mut catalog: Catalog = serde_json::from_str(&old_json(&[1, 2])).unwrap();
    assert_eq!((catalog.epoch, catalog.revision), (2, 9));
    assert_eq!(catalog.read_layout().shares().len(), 2, "node 3 has not said that it is ready");
    assert_eq!(catalog.moves.len(), PARTITION_COUNT);
    let command = Command::Synced { node: node(3).id, epoch: 2, partitions: None };
    catalog.apply(Stamped { now_ms: 0, command }).unwrap();
    assert!(!catalog.is_moving());
    assert_eq!(catalog.holders().readers(Partition(0)).len(), 3);
}

#[test]
fn a_catalog_of_the_first_release_that_was_settled_is_settled() {
    let mut json: serde_json::Value = serde_json::from_str(&old_json(&[])).unwrap();
    json["moving_from"] = serde_json::Value::Null;
    let catalog: Catalog = serde_json::from_value(json).unwrap();
    assert!(!catalog.is_moving() && catalog.epoch == 2);
    assert_eq!(catalog.ring_settings, RingSettings::default());
}

#[test]
fn a_report_as_the_first_release_wrote_it_into_the_log_means_everything() {
    let json = serde_json::json!({ "synced": { "node": node(1).id, "epoch": 3 } });
    let command: Command = serde_json::from_value(json).unwrap();
    assert_eq!(command, Command::Synced { node: node(1).id, epoch: 3, partitions: None });
}

#[test]
fn a_bucket_as_the_first_release_stored_it_is_read_with_todays_settings() {
    let mut json = serde_json::to_value(cluster(1)).unwrap();
    json["buckets"] = serde_json::json!({ "log": {
        "name": "log", "app": null, "token": "t", "created_ms": 5,
        "spec": { "consistency": "Eventual", "replicas": 2, "storage": "Disk", "limit": 64_000_000, "ttl": null },
    }});
    let catalog: Catalog = serde_json::from_value(json).unwrap();
    let spec = &catalog.buckets["log"].spec;
    assert_eq!(spec.durability(), ringway_manifest::Durability::Batch);
    assert_eq!((spec.together, spec.ops_per_second, spec.connections), (false, None, None));
}

#[test]
fn a_refusal_as_the_first_release_sent_it_is_about_storage() {
    let json = serde_json::json!({ "bucket_fixed": { "name": "b", "from": "memory", "to": "disk" } });
    let refusal: crate::Refusal = serde_json::from_value(json).unwrap();
    assert!(refusal.to_string().contains("its storage cannot change"), "{refusal}");
}

#[test]
fn a_catalog_in_the_middle_of_a_change_survives_its_own_json() {
    let mut catalog = cluster(3);
    crate::tests::join(&mut catalog, 4).unwrap();
    let epoch = catalog.epoch;
    catalog.note_synced(node(4).id, epoch, Some(&(0..99).map(Partition).collect())).unwrap();
    let json = serde_json::to_string(&catalog).unwrap();
    assert_eq!(serde_json::from_str::<Catalog>(&json).unwrap(), catalog);
}
