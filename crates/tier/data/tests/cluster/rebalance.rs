//! Partitions change hands one by one, while clients count: nothing is lost, nothing fails, and what is interrupted goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ringway_catalog::Command;
use ringway_manifest::Bucket as Spec;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::world::{World, assert_all_there, disk, eventually, key, node, write_keys};

const LAG_MAX: Duration = Duration::from_millis(60);
const COUNTERS: usize = 64;

/// Clients that increment counters through some nodes until they are told to stop.
struct Counting {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<u64>>>,
    done: Arc<AtomicU64>,
}

impl Counting {
    async fn start(world: &World, bucket: &'static str, through: &[u8]) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut clients = Vec::new();
        for (nth, number) in through.iter().enumerate() {
            let client = Client::authenticated(world.at(*number).redis, bucket).await;
            clients.push(tokio::spawn(count(client, nth * 7, stop.clone(), done.clone())));
        }
        Self { stop, clients, done }
    }

    async fn go_on(&self) {
        let before = self.done.load(Ordering::Relaxed);
        eventually(|| self.done.load(Ordering::Relaxed) > before + 200).await.expect("clients go on");
    }

    /// What each counter has to be.
    async fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut sums = vec![0; COUNTERS];
        for client in self.clients {
            for (sum, count) in sums.iter_mut().zip(client.await.expect("no request fails")) {
                *sum += count;
            }
        }
        sums
    }
}

async fn count(mut client: Client, first: usize, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) -> Vec<u64> {
    let mut counts = vec![0; COUNTERS];
    for at in (0..COUNTERS).cycle().skip(first) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        client.send(format!("INCR counter:{at}\r\n").as_bytes()).await;
        let reply = client.skip_line().await;
        assert!(reply.starts_with(':'), "{reply}");
        counts[at] += 1;
        done.fetch_add(1, Ordering::Relaxed);
    }
    counts
}

async fn assert_counted(world: &World, bucket: &str, through: &[u8], sums: &[u64]) {
    for number in through {
        for (at, sum) in sums.iter().enumerate() {
            let value = world.kv(*number).get(bucket, Bytes::from(format!("counter:{at}"))).await.unwrap();
            assert_eq!(value, Some(Bytes::from(sum.to_string())), "counter {at} through node {number}");
        }
    }
}

fn copies(count: u8) -> impl FnOnce(&mut Spec) {
    move |spec| spec.replicas = count
}

async fn counters_are_exact_while_nodes_come_and_go(replicas: u8) {
    let mut world = World::lagging(3, LAG_MAX).await;
    world.bucket("b", copies(replicas));
    world.heard_of("b").await;
    write_keys(&world, "b", &[1, 2, 3], 300).await;
    let counting = Counting::start(&world, "b", &[1, 2, 3, 1, 2, 3]).await;
    counting.go_on().await;
    world.join(4);
    counting.go_on().await;
    world.settled().await;
    world.join(5);
    world.log.apply(Command::Leave { node: node(4) });
    counting.go_on().await;
    world.settled().await;
    world.join(6);
    world.join(7);
    counting.go_on().await;
    world.settled().await;
    world.log.apply(Command::Leave { node: node(5) });
    world.settled().await;
    counting.go_on().await;
    let sums = counting.stop().await;
    assert_counted(&world, "b", &[1, 2, 3, 6, 7], &sums).await;
    assert_all_there(&world, "b", &[1, 7], 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_of_one_copy_are_exact_while_nodes_come_and_go() {
    counters_are_exact_while_nodes_come_and_go(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_of_two_copies_are_exact_while_nodes_come_and_go() {
    counters_are_exact_while_nodes_come_and_go(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_of_three_copies_are_exact_while_nodes_come_and_go() {
    counters_are_exact_while_nodes_come_and_go(3).await;
}

/// Slow enough that a move can be looked at in the middle: 16 KiB values, 64 KiB a second.
async fn slow_world(count: u8, keys: usize) -> World {
    let world = World::new(count).await;
    world.bucket("b", |spec| {
        disk(spec);
        spec.replicas = 2;
    });
    world.log.apply(Command::Configure { replace_after_ms: None, transfer_rate: Some(64 << 10) });
    for number in 0..keys {
        let kv = world.kv(1 + (number % usize::from(count)) as u8);
        kv.set("b", key(number), vec![number as u8; 16 << 10].into(), None).await.unwrap();
    }
    world
}

async fn assert_large_values_there(world: &World, through: &[u8], keys: usize) {
    for number in 0..keys {
        for at in through {
            let value = world.kv(*at).get("b", key(number)).await.unwrap().map(|value| (value.len(), value[0]));
            assert_eq!(value, Some((16 << 10, number as u8)), "key {number} through node {at}");
        }
    }
}

fn fetched(world: &World, number: u8) -> u64 {
    world.at(number).tier.transfer_progress().map_or(0, |progress| progress.bytes)
}

async fn in_the_middle(world: &World, number: u8) {
    let something = eventually(|| fetched(world, number) > 64 << 10).await;
    something.unwrap_or_else(|()| panic!("something was fetched: {:?}", world.at(number).tier.transfers()));
    assert!(world.log.catalog().is_moving(), "and not everything");
}

fn full_speed(world: &World) {
    world.log.apply(Command::Configure { replace_after_ms: None, transfer_rate: Some(64 << 20) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_joiner_that_is_killed_in_the_middle_goes_on_where_it_was() {
    let mut world = slow_world(3, 120).await;
    world.join(4);
    in_the_middle(&world, 4).await;
    let had = fetched(&world, 4);
    world.kill(4).await;
    world.gossip();
    full_speed(&world);
    world.start(4);
    world.settled().await;
    assert_large_values_there(&world, &[1, 4], 120).await;
    world.settled().await;
    let bytes_held = world.kv(4).usage("b").unwrap().1;
    assert!(had > 0 && bytes_held > had, "{had} of {bytes_held}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_killed_in_the_middle_is_replaced_by_another_one() {
    let mut world = slow_world(3, 120).await;
    world.join(4);
    in_the_middle(&world, 4).await;
    let source = world.at(4).tier.transfers()[0].from.as_bytes()[0];
    world.kill(source).await;
    world.gossip();
    full_speed(&world);
    let others: Vec<u8> = (1..=4).filter(|number| *number != source).collect();
    assert_large_values_there(&world, &others, 120).await;
    world.start(source);
    world.settled().await;
    assert_large_values_there(&world, &[1, 2, 3, 4], 120).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_join_stops_where_it_is_and_can_be_taken_up_again() {
    let mut world = slow_world(3, 120).await;
    world.join(4);
    in_the_middle(&world, 4).await;
    world.log.apply(Command::CancelMoves);
    world.settled().await;
    eventually(|| world.at(4).tier.transfer_progress().is_none()).await.expect("it stops fetching");
    assert_large_values_there(&world, &[1, 4], 120).await;
    full_speed(&world);
    world.log.apply(Command::Rebalance);
    world.settled().await;
    assert_large_values_there(&world, &[1, 2, 3, 4], 120).await;
    let held = world.log.catalog().layout.shares()[&node(4)].held;
    assert!(held > 3000, "{held}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_is_kept() {
    let mut world = slow_world(2, 60).await;
    let began = std::time::Instant::now();
    world.join(3);
    in_the_middle(&world, 3).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let rate = fetched(&world, 3) as f64 / began.elapsed().as_secs_f64();
    // A page is 256 KiB at most, and that may come on top.
    assert!(rate < ((64 << 10) + (256 << 10)) as f64, "{rate}");
    let transfers = world.at(3).tier.transfers();
    assert!(transfers.iter().all(|transfer| transfer.to == node(3) && transfer.partitions_total > 0), "{transfers:?}");
}

#[tokio::test]
async fn what_a_dead_node_held_is_copied_while_it_is_away_and_it_is_taken_back() {
    let mut world = World::new(5).await;
    world.bucket("b", copies(2));
    write_keys(&world, "b", &[1, 2, 3, 4, 5], 300).await;
    world.kill(5).await;
    world.gossip();
    world.log.apply(Command::GiveUp { node: node(5) });
    world.settled().await;
    assert!(!world.log.catalog().is_holder(node(5)));
    // Every key has two copies again, so another one may go.
    world.kill(4).await;
    world.gossip();
    assert_all_there(&world, "b", &[1, 2, 3], 300).await;
    world.start(4);
    world.start(5);
    world.log.apply(Command::TakeBack { node: node(5) });
    world.settled().await;
    assert_all_there(&world, "b", &[1, 4, 5], 300).await;
}

#[tokio::test]
async fn a_node_that_was_given_up_brings_back_what_only_it_had() {
    let mut world = World::new(4).await;
    world.bucket("b", |spec| {
        disk(spec);
        spec.replicas = 1;
    });
    write_keys(&world, "b", &[1, 2, 3, 4], 100).await;
    world.kill(4).await;
    world.gossip();
    world.log.apply(Command::GiveUp { node: node(4) });
    world.settled().await;
    world.start(4);
    world.log.apply(Command::TakeBack { node: node(4) });
    world.settled().await;
    for number in 0..100 {
        let kv = world.kv(1);
        let there = async || kv.get("b", key(number)).await.is_ok_and(|value| value == Some(key(number)));
        let within = std::time::Instant::now() + Duration::from_secs(20);
        while !there().await {
            assert!(std::time::Instant::now() < within, "key {number} is brought back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
