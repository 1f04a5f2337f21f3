//! Nodes that die, come back, and have missed things.

use ringway_ports::Reach;

use crate::client::Client;
use crate::world::{World, assert_all_there, eventually, key, node, write_keys};

#[tokio::test]
async fn with_one_of_three_killed_every_key_is_there_before_and_after_gossip_knows() {
    let mut world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 2);
    write_keys(&world, "b", &[1, 2, 3], 300).await;
    world.kill(2).await;
    assert_all_there(&world, "b", &[1, 3], 300).await;
    world.gossip();
    assert_all_there(&world, "b", &[1, 3], 300).await;
    write_keys(&world, "b", &[3], 300).await;
}

#[tokio::test]
async fn a_node_that_comes_back_empty_serves_every_key_at_once_and_is_repaired() {
    let mut world = World::new(3).await;
    world.bucket("b", |_| {});
    write_keys(&world, "b", &[1, 2, 3], 300).await;
    world.kill(2).await;
    world.gossip();
    world.start(2);
    let page = world.kv(2).scan("b", 0, 1000).await.unwrap();
    assert_eq!((page.keys.len(), page.cursor), (300, 0));
    assert_all_there(&world, "b", &[2], 300).await;
    world.usage_is("b", &[(1, 300), (2, 300), (3, 300)]).await;
}

#[tokio::test]
async fn a_node_that_comes_back_empty_does_not_answer_before_it_has_heard_of_the_others() {
    let mut world = World::new(3).await;
    world.bucket("b", |_| {});
    write_keys(&world, "b", &[1], 20).await;
    world.kill(2).await;
    world.gossip();
    world.start_unheard(2);
    let kv = world.kv(2);
    let early = tokio::spawn(async move { kv.get("b", key(1)).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!early.is_finished());
    world.gossip();
    assert_eq!(early.await.unwrap().unwrap(), Some(key(1)));
    assert_all_there(&world, "b", &[2], 20).await;
}

#[tokio::test]
async fn a_disk_node_that_missed_writes_and_deletes_gets_them_and_nothing_comes_back() {
    let mut world = World::new(3).await;
    world.bucket("b", crate::world::disk);
    write_keys(&world, "b", &[1, 2, 3], 30).await;
    world.usage_is("b", &[(1, 30), (2, 30), (3, 30)]).await;
    world.kill(2).await;
    world.gossip();
    for number in 0..10 {
        assert!(world.kv(1).del("b", key(number)).await.unwrap());
    }
    world.kv(1).set("b", key(29), "new".into(), None).await.unwrap();
    world.start(2);
    for number in 0..10 {
        assert_eq!(world.kv(2).get("b", key(number)).await.unwrap(), None);
    }
    assert_eq!(world.kv(2).get("b", key(29)).await.unwrap(), Some("new".into()));
    world.usage_is("b", &[(1, 20), (2, 20), (3, 20)]).await;
}

#[tokio::test]
async fn a_counter_goes_on_where_it_was_when_its_primary_dies_and_comes_back_empty() {
    let mut world = World::new(3).await;
    world.bucket("b", |_| {});
    let mut count = 0;
    for victim in [1, 2, 3] {
        let through = victim % 3 + 1;
        let mut client = Client::authenticated(world.at(through).redis, "b").await;
        for _ in 0..10 {
            count += 1;
            client.check("INCR n\r\n", &format!(":{count}\r\n")).await;
        }
        world.kill(victim).await;
        for _ in 0..10 {
            count += 1;
            client.check("INCR n\r\n", &format!(":{count}\r\n")).await;
        }
        world.gossip();
        world.start(victim);
        count += 1;
        client.check("INCR n\r\n", &format!(":{count}\r\n")).await;
    }
}

#[tokio::test]
async fn a_node_that_was_cut_off_and_does_not_see_the_others_yet_does_not_execute_on_what_it_has() {
    let world = World::new(3).await;
    world.bucket("b", |_| {});
    world.heard_of("b").await;
    for alone in [1, 2, 3] {
        let others: Vec<u8> = [1, 2, 3].into_iter().filter(|number| *number != alone).collect();
        let mut client = Client::authenticated(world.at(others[0]).redis, "b").await;
        // Of some of them the one that is cut off is the primary.
        let counters: Vec<String> = (0..10).map(|number| format!("n{alone}-{number}")).collect();
        for counter in &counters {
            client.check(&format!("INCR {counter}\r\n"), ":1\r\n").await;
        }
        world.split(alone, &others);
        for counter in &counters {
            client.check(&format!("INCR {counter}\r\n"), ":2\r\n").await;
        }
        world.heal_unnoticed(alone, &others);
        for counter in &counters {
            client.check(&format!("INCR {counter}\r\n"), ":3\r\n").await;
        }
        world.gossip();
        for counter in &counters {
            client.check(&format!("INCR {counter}\r\n"), ":4\r\n").await;
        }
    }
}

#[tokio::test]
async fn a_bucket_of_one_copy_says_that_its_keys_cannot_be_reached() {
    let mut world = World::new(3).await;
    world.bucket("b", |spec| spec.replicas = 1);
    write_keys(&world, "b", &[1], 60).await;
    world.kill(3).await;
    world.gossip();
    let (mut there, mut refused) = (0, 0);
    for number in 0..60 {
        match world.kv(1).get("b", key(number)).await {
            Ok(value) => {
                assert_eq!(value, Some(key(number)));
                there += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("no replica of the key is reachable"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(there > 20 && refused > 5, "{there} {refused}");
}

#[tokio::test]
async fn of_a_large_partition_only_the_ranges_that_differ_are_brought() {
    let world = World::new(2).await;
    // All keys in one partition.
    world.bucket("b", |spec| spec.together = true);
    write_keys(&world, "b", &[1], 3000).await;
    let whole = world.network().bytes();
    world.network().cut_link(node(1), node(2));
    world.network().tell(node(1), node(2), Reach::Down);
    world.kv(1).set("b", key(3001), key(3001), None).await.unwrap();
    let before = world.network().bytes();
    world.network().mend_link(node(1), node(2));
    world.network().tell(node(1), node(2), Reach::Up);
    eventually(|| world.kv(2).usage("b").is_some_and(|(keys, _)| keys == 3001)).await.expect("it is brought");
    let brought = world.network().bytes() - before;
    assert!(brought < whole / 4, "{brought} of {whole} bytes");
}
