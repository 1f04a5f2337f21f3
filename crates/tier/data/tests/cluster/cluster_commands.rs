//! What CLUSTER tells a client that routes by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::{Client, Reply};
use crate::world::World;

/// Of each slot the addresses of its nodes, the acting primary first, as CLUSTER SLOTS has it.
async fn slots(client: &mut Client) -> BTreeMap<i64, Vec<String>> {
    let mut found = BTreeMap::new();
    for range in client.ask(&["CLUSTER", "SLOTS"]).await.items() {
        let [first, last, places @ ..] = range.items() else { panic!("{range:?}") };
        let address = |place: &Reply| format!("{}:{}", place.items()[0].text(), place.items()[1].int());
        let addresses: Vec<String> = places.iter().map(address).collect();
        for slot in first.int()..=last.int() {
            assert!(found.insert(slot, addresses.clone()).is_none(), "slot {slot} is told twice");
        }
    }
    found
}

/// The lines of CLUSTER NODES by address: flags, the id, the master's id, the number of slots.
async fn nodes(client: &mut Client) -> BTreeMap<String, (String, String, String, usize)> {
    let text = client.ask(&["CLUSTER", "NODES"]).await;
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let address = words[1].split('@').next().unwrap().to_owned();
        let count = |range: &&str| {
            let (first, last) = range.split_once('-').unwrap();
            last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1
        };
        assert_eq!(words[0].len(), 40, "{line}");
        (address, (words[2].to_owned(), words[0].to_owned(), words[3].to_owned(), words[8..].iter().map(count).sum()))
    };
    text.text().lines().map(line).collect()
}

#[tokio::test]
async fn every_slot_is_told_with_its_acting_primary_first_and_the_replicas_that_are_up() {
    let mut world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 2);
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    let address = |world: &World, number| world.at(number).redis.to_string();
    let all: BTreeSet<String> = (1..=3).map(|number| address(&world, number)).collect();
    let before = slots(&mut client).await;
    assert_eq!(before.len(), 16384);
    for nodes in before.values() {
        assert_eq!(nodes.iter().collect::<BTreeSet<_>>().len(), 2, "{nodes:?}");
        assert!(nodes.iter().all(|node| all.contains(node)));
    }
    for node in &all {
        let count = before.values().filter(|nodes| nodes[0] == *node).count();
        assert!((5000..6000).contains(&count), "{node} acts for {count} slots");
    }
    let dead = address(&world, 2);
    world.kill(2).await;
    world.gossip();
    let after = slots(&mut client).await;
    assert_eq!(after.len(), 16384, "two replicas bear one loss");
    for (slot, nodes) in &after {
        let left: Vec<&String> = before[slot].iter().filter(|node| **node != dead).collect();
        assert_eq!(nodes.iter().collect::<Vec<_>>(), left, "slot {slot}");
    }
}

#[tokio::test]
async fn a_bucket_without_copies_has_slots_that_nobody_serves_while_a_node_is_down() {
    let mut world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 1);
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    assert!(client.ask(&["CLUSTER", "INFO"]).await.text().contains("cluster_state:ok"));
    world.kill(3).await;
    world.gossip();
    let served = slots(&mut client).await.len();
    assert!((10_000..12_000).contains(&served), "{served}");
    let info = client.ask(&["CLUSTER", "INFO"]).await;
    assert!(info.text().contains("cluster_state:fail"), "{info:?}");
    assert!(info.text().contains(&format!("cluster_slots_ok:{served}")), "{info:?}");
}

#[tokio::test]
async fn nodes_and_shards_name_every_node_with_its_role() {
    let mut world = World::new(3).await;
    world.bucket("b", |_| {});
    let own = world.at(1).redis.to_string();
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    let told = nodes(&mut client).await;
    assert_eq!(told.len(), 3);
    assert_eq!(told.values().map(|(_, _, _, slots)| slots).sum::<usize>(), 16384);
    for (address, (flags, id, master, _)) in &told {
        let expected = if *address == own { "myself,master" } else { "master" };
        assert_eq!((flags.as_str(), master.as_str()), (expected, "-"));
        let replicas = client.ask(&["CLUSTER", "REPLICAS", id]).await;
        assert_eq!(replicas.items().len(), 2, "with three copies each of the others has one");
    }
    assert_eq!(client.ask(&["CLUSTER", "MYID"]).await.text(), told[&own].1);
    let shards = client.ask(&["CLUSTER", "SHARDS"]).await;
    assert_eq!(shards.items().len(), 3);
    for shard in shards.items() {
        let [_, slots, _, members] = shard.items() else { panic!("{shard:?}") };
        assert!(slots.items().len().is_multiple_of(2) && !slots.items().is_empty());
        let roles: Vec<&str> = members.items().iter().map(|member| member.items()[9].text()).collect();
        assert_eq!(roles, ["master", "replica", "replica"]);
    }
    let dead = world.at(2).redis.to_string();
    world.kill(2).await;
    world.gossip();
    let told = nodes(&mut client).await;
    let (flags, _, master, slots) = &told[&dead];
    assert_eq!((flags.as_str(), *slots), ("slave,fail", 0), "it acts for nothing any more");
    assert!(told.values().any(|(_, id, ..)| id == master));
}

#[tokio::test]
async fn keys_are_counted_by_slot_and_what_cannot_be_done_is_said() {
    let world = World::new(1).await;
    world.bucket("b", |_| {});
    world.bucket("disk", crate::world::disk);
    for bucket in ["b", "disk"] {
        let mut client = Client::connect(world.at(1).redis).await;
        let word = format!("AUTH {bucket} {}\r\n", crate::world::TOKEN);
        client.check(&word, "+OK\r\n").await;
        for number in 0..1500 {
            client.check(&format!("SET {{foo}}:{number} v\r\n"), "+OK\r\n").await;
        }
        client.check("SET bar v\r\n", "+OK\r\n").await;
        for (request, reply) in [
            ("CLUSTER KEYSLOT {foo}:1\r\n", ":12182\r\n"),
            ("CLUSTER COUNTKEYSINSLOT 12182\r\n", ":1500\r\n"),
            ("CLUSTER COUNTKEYSINSLOT 12183\r\n", ":0\r\n"),
            ("CLUSTER COUNTKEYSINSLOT 5061\r\n", ":1\r\n"),
            ("CLUSTER GETKEYSINSLOT 5061 10\r\n", "*1\r\n$3\r\nbar\r\n"),
            ("CLUSTER GETKEYSINSLOT 12182 7\r\n", "*7\r\n"),
        ] {
            client.check(request, reply).await;
        }
        for _ in 0..14 {
            client.skip_line().await;
        }
        for (request, reply) in [
            ("CLUSTER COUNTKEYSINSLOT 16384\r\n", "-ERR Invalid or out of range slot\r\n"),
            ("CLUSTER COUNTKEYSINSLOT -1\r\n", "-ERR Invalid or out of range slot\r\n"),
            ("CLUSTER COUNTKEYSINSLOT x\r\n", "-ERR value is not an integer or out of range\r\n"),
            ("CLUSTER GETKEYSINSLOT 1 -1\r\n", "-ERR Invalid number of keys\r\n"),
            ("CLUSTER REPLICAS nobody\r\n", "-ERR Unknown node nobody\r\n"),
            ("CLUSTER LINKS\r\n", "*0\r\n"),
            ("CLUSTER MEET 127.0.0.1 1\r\n", "-ERR the nodes agree on the ring by themselves"),
        ] {
            client.check(request, reply).await;
        }
    }
}
