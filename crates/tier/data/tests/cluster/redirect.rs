//! When a client is sent to another node, and that nobody is sent in circles.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use futures_util::FutureExt;

use crate::client::{Client, Reply};
use crate::world::World;

const HOPS_MAX: usize = 3;

/// A client that follows MOVED.
struct Follower {
    clients: BTreeMap<SocketAddr, Client>,
}

impl Follower {
    fn new() -> Self {
        Self { clients: BTreeMap::new() }
    }

    /// The reply to a command, asked of `first`, and how many nodes were asked.
    async fn ask(&mut self, first: SocketAddr, words: &[&str]) -> (Reply, usize) {
        let mut address = first;
        for hops in 1..=HOPS_MAX {
            let client = match self.clients.entry(address) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(Client::authenticated(address, "b").await),
            };
            let reply = client.ask(words).await;
            let Reply::Error(text) = &reply else { return (reply, hops) };
            let Some(moved) = text.strip_prefix("MOVED ") else { return (reply, hops) };
            let (slot, place) = moved.split_once(' ').unwrap();
            assert_eq!(slot, slot_of(words[1]).to_string());
            let next = place.parse().unwrap();
            assert_ne!(next, address, "never to itself");
            address = next;
        }
        panic!("{words:?} was sent on more than {HOPS_MAX} times");
    }
}

fn slot_of(key: &str) -> u16 {
    ringway_ring::slot_of(key.as_bytes()).0
}

#[tokio::test]
async fn a_node_that_forwards_nothing_names_the_owner_which_then_answers() {
    let world = World::redirecting(3).await;
    world.bucket("b", |spec| spec.replicas = 2);
    let (mut follower, mut sent_on) = (Follower::new(), 0);
    for number in 0..200 {
        let (key, value) = (format!("k{number}"), number.to_string());
        let (reply, hops) = follower.ask(world.at(1).redis, &["SET", &key, &value]).await;
        assert_eq!(reply, Reply::Text("OK".to_owned()));
        assert!(hops <= 2, "the first node knows who acts");
        sent_on += hops - 1;
        for from in 2..=3 {
            let (reply, _) = follower.ask(world.at(from).redis, &["GET", &key]).await;
            assert_eq!(reply, Reply::Text(value.clone()));
        }
    }
    assert!((100..170).contains(&sent_on), "two thirds of the keys are others': {sent_on}");
    for number in 1..=3 {
        let mut client = Client::authenticated(world.at(number).redis, "b").await;
        let info = client.ask(&["INFO"]).await;
        assert!(info.text().contains("total_commands_forwarded:0\r\n"), "{info:?}");
        assert!(info.text().contains("redis_mode:cluster\r\n"), "{info:?}");
    }
    let (mut counted, mut seen) = (0, BTreeSet::new());
    for number in 1..=3 {
        let mut client = Client::authenticated(world.at(number).redis, "b").await;
        counted += client.ask(&["DBSIZE"]).await.int();
        let page = client.ask(&["SCAN", "0", "COUNT", "1000"]).await;
        seen.extend(page.items()[1].items().iter().map(|key| key.text().to_owned()));
    }
    assert_eq!((counted, seen.len()), (200, 200), "each node tells of its own keys");
}

#[tokio::test]
async fn keys_of_several_owners_in_one_command_are_refused_where_nothing_is_forwarded() {
    let world = World::redirecting(2).await;
    world.bucket("b", |spec| spec.replicas = 1);
    let mut client = Client::authenticated(world.at(1).redis, "b").await;
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let key = format!("k{number}");
        match client.ask(&["SET", &key, "v"]).await {
            Reply::Text(_) => own.push(key),
            _ => other.push(key),
        }
    }
    assert!(own.len() >= 2 && other.len() >= 2);
    let value = Reply::Text("v".to_owned());
    assert_eq!(client.ask(&["MGET", &own[0], &own[1]]).await.items(), [value.clone(), value], "one node has both");
    let moved = client.ask(&["MGET", &other[0], &other[1]]).await;
    assert_eq!(moved, Reply::Error(format!("MOVED {} {}", slot_of(&other[0]), world.at(2).redis)));
    let refused = "CROSSSLOT Keys in request don't hash to the same slot".to_owned();
    assert_eq!(client.ask(&["MGET", &own[0], &other[0]]).await, Reply::Error(refused));
}

#[tokio::test]
async fn a_replica_answers_the_reads_of_a_client_that_said_readonly_and_no_writes() {
    let world = World::redirecting(2).await;
    world.bucket("b", |spec| spec.replicas = 2);
    let (mut one, mut two) =
        (Client::authenticated(world.at(1).redis, "b").await, Client::authenticated(world.at(2).redis, "b").await);
    let mut key = String::new();
    for number in 0..50 {
        key = format!("k{number}");
        if one.ask(&["SET", &key, "v"]).await == Reply::Text("OK".to_owned()) {
            break;
        }
    }
    let moved = Reply::Error(format!("MOVED {} {}", slot_of(&key), world.at(1).redis));
    assert_eq!(two.ask(&["GET", &key]).await, moved);
    two.check("READONLY\r\n", "+OK\r\n").await;
    assert_eq!(two.ask(&["GET", &key]).await, Reply::Text("v".to_owned()));
    assert_eq!(two.ask(&["SET", &key, "w"]).await, moved);
    two.check("READWRITE\r\nASKING\r\n", "+OK\r\n+OK\r\n").await;
    assert_eq!(two.ask(&["GET", &key]).await, moved);
}

#[tokio::test]
async fn while_a_node_joins_every_key_is_found_in_a_few_steps() {
    let mut world = World::redirecting(3).await;
    world.bucket("b", |spec| spec.replicas = 2);
    let mut follower = Follower::new();
    for number in 0..100 {
        follower.ask(world.at(1).redis, &["SET", &format!("k{number}"), "v"]).await;
    }
    world.join(4);
    let mut rounds_after = 0;
    while rounds_after < 2 {
        rounds_after += usize::from(world.settled().now_or_never().is_some());
        for number in 0..100 {
            let first = world.at(number % 4 + 1).redis;
            let (reply, _) = follower.ask(first, &["GET", &format!("k{number}")]).await;
            assert_eq!(reply, Reply::Text("v".to_owned()), "k{number}");
        }
    }
}

#[tokio::test]
async fn a_client_that_knows_clusters_is_sent_to_an_owner_which_this_node_cannot_reach() {
    let mut world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 1);
    let (mut plain, mut aware) =
        (Client::authenticated(world.at(1).redis, "b").await, Client::authenticated(world.at(1).redis, "b").await);
    aware.ask(&["CLUSTER", "SLOTS"]).await;
    let owner = Client::authenticated(world.at(2).redis, "b").await;
    let mut owner = owner;
    let mut key = String::new();
    for number in 0..100 {
        key = format!("k{number}");
        plain.ask(&["SET", &key, "v"]).await;
        if owner.ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot_of(&key).to_string()]).await == Reply::Int(1) {
            break;
        }
    }
    world.cut_link(1, 2);
    let answer = plain.ask(&["GET", &key]).await;
    assert!(answer.text().starts_with("CLUSTERDOWN "), "{answer:?}");
    let moved = Reply::Error(format!("MOVED {} {}", slot_of(&key), world.at(2).redis));
    assert_eq!(aware.ask(&["GET", &key]).await, moved);
    assert_eq!(aware.ask(&["MGET", &key, &key]).await, moved);
    assert_eq!(owner.ask(&["GET", &key]).await, Reply::Text("v".to_owned()), "the one named answers");
    let other_slot = aware.ask(&["MGET", &key, "another"]).await;
    assert!(other_slot.text().starts_with("CLUSTERDOWN "), "{other_slot:?}");
    world.kill(2).await;
    world.gossip();
    let dead = aware.ask(&["GET", &key]).await;
    assert!(dead.text().starts_with("CLUSTERDOWN "), "gossip knows that nobody is there: {dead:?}");
}
