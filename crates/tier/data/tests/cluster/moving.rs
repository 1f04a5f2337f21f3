//! The ring grows and shrinks while it is used.

use ringway_catalog::Command;

use crate::world::{World, assert_all_there, disk, eventually, node, write_keys};

#[tokio::test]
async fn a_node_that_joins_gets_its_part_and_no_key_is_missed_meanwhile() {
    let mut world = World::new(3).await;
    world.bucket("memory", |spec| spec.replicas = 2);
    world.bucket("disk", |spec| {
        disk(spec);
        spec.replicas = 1;
    });
    write_keys(&world, "memory", &[1, 2, 3], 300).await;
    write_keys(&world, "disk", &[1], 20).await;
    world.join(4);
    assert_all_there(&world, "memory", &[1, 4], 300).await;
    world.settled().await;
    assert_all_there(&world, "memory", &[1, 2, 3, 4], 300).await;
    assert_all_there(&world, "disk", &[1, 4], 20).await;
    // After the grace the old owners have dropped what moved away: two copies of each key are left.
    let copies = || -> u64 { (1..=4).map(|n| world.kv(n).usage("memory").unwrap().0).sum() };
    eventually(|| copies() == 600).await.unwrap_or_else(|()| panic!("{} copies", copies()));
    assert!(world.kv(4).usage("memory").unwrap().0 > 50);
    assert_eq!(world.at(4).tier.transfer_progress(), None);
}

#[tokio::test]
async fn a_node_that_leaves_gives_everything_away_first() {
    let mut world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 1);
    write_keys(&world, "b", &[1, 2, 3], 200).await;
    world.log.apply(Command::Leave { node: node(2) });
    world.settled().await;
    assert!(!world.log.catalog().layout.members().contains(&node(2)));
    world.kill(2).await;
    world.gossip();
    assert_all_there(&world, "b", &[1, 3], 200).await;
}

#[tokio::test]
async fn a_dead_node_is_taken_out_and_its_copies_are_made_again() {
    let mut world = World::new(4).await;
    world.bucket("b", |spec| spec.replicas = 2);
    write_keys(&world, "b", &[1, 2, 3, 4], 200).await;
    world.kill(2).await;
    world.gossip();
    world.log.apply(Command::Remove { node: node(2) });
    world.settled().await;
    world.kill(3).await;
    world.gossip();
    assert_all_there(&world, "b", &[1, 4], 200).await;
}

#[tokio::test]
async fn more_replicas_are_filled_and_fewer_are_dropped_when_the_bucket_says_so() {
    let world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 1);
    write_keys(&world, "b", &[1], 100).await;
    world.bucket("b", |spec| spec.replicas = 3);
    assert_all_there(&world, "b", &[1, 2, 3], 100).await;
    world.usage_is("b", &[(1, 100), (2, 100), (3, 100)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_notice_nothing_of_a_kill_a_return_and_a_join_and_no_key_is_lost() {
    let mut world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 2);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = [1, 3]
        .into_iter()
        .map(|through| {
            let (kv, stop) = (world.kv(through), stop.clone());
            tokio::spawn(async move {
                let mut count = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let key = bytes::Bytes::from(format!("w{through}:{count}"));
                    kv.set("b", key.clone(), key, None).await.expect("every write is taken");
                    count += 1;
                }
                count
            })
        })
        .collect();
    let written = |least: u64| {
        let kv = world.kv(1);
        async move { eventually(|| kv.usage("b").is_some_and(|(keys, _)| keys > least)).await.unwrap() }
    };
    written(50).await;
    world.kill(2).await;
    world.gossip();
    world.start(2);
    world.join(4);
    world.settled().await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut counts = Vec::new();
    for writer in writers {
        counts.push(writer.await.unwrap());
    }
    for (through, count) in [1, 3].into_iter().zip(counts) {
        for number in 0..count {
            let key = bytes::Bytes::from(format!("w{through}:{number}"));
            for node in [2, 4] {
                assert_eq!(
                    world.kv(node).get("b", key.clone()).await.unwrap(),
                    Some(key.clone()),
                    "through node {node}"
                );
            }
        }
    }
}
