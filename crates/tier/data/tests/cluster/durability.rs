//! What disk buckets promise.

use crate::world::{World, assert_all_there, disk, key, write_keys};

#[tokio::test]
async fn a_disk_bucket_survives_the_death_of_all_nodes() {
    let mut world = World::new(3).await;
    world.bucket("b", disk);
    write_keys(&world, "b", &[1, 2, 3], 40).await;
    for number in 1..=3 {
        world.kill(number).await;
    }
    for number in 1..=3 {
        world.start(number);
    }
    assert_all_there(&world, "b", &[1, 2, 3], 40).await;
}

#[tokio::test]
async fn a_bucket_that_was_deleted_and_made_again_is_empty() {
    let world = World::new(1).await;
    world.bucket("b", disk);
    write_keys(&world, "b", &[1], 5).await;
    world.log.apply(ringway_catalog::Command::DeleteBucket { name: "b".to_owned() });
    assert!(world.kv(1).get("b", key(1)).await.unwrap_err().to_string().contains("no bucket b"));
    world.bucket("b", |spec| {
        disk(spec);
        spec.replicas = 2;
    });
    assert_eq!(world.kv(1).get("b", key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_bucket_refuses_new_values_and_answers_with_those_it_has() {
    let world = World::new(1).await;
    world.bucket("b", |spec| {
        disk(spec);
        spec.limit = ringway_manifest::Bytes(10_000);
    });
    world.kv(1).set("b", key(1), vec![b'x'; 9_000].into(), None).await.unwrap();
    let error = world.kv(1).set("b", key(2), vec![b'x'; 2_000].into(), None).await.unwrap_err().to_string();
    assert!(error.contains("OOM bucket is at its limit of 10000 bytes"), "{error}");
    assert_eq!(world.kv(1).get("b", key(1)).await.unwrap().unwrap().len(), 9_000);
    assert!(world.kv(1).del("b", key(1)).await.unwrap());
    world.kv(1).set("b", key(2), vec![b'x'; 2_000].into(), None).await.unwrap();
}

#[tokio::test]
async fn a_disk_bucket_that_was_deleted_while_its_node_was_down_leaves_nothing_on_the_disk() {
    let mut world = World::new(1).await;
    for bucket in ["b", "c"] {
        world.bucket(bucket, disk);
        write_keys(&world, bucket, &[1], 40).await;
    }
    world.kill(1).await;
    world.log.apply(ringway_catalog::Command::DeleteBucket { name: "b".to_owned() });
    world.start(1);
    world.at(1).tier.forget_deleted().await.unwrap();
    world.kill(1).await;
    let node_disk = ringway_engine::Disk::open(&world.dir_of(1)).unwrap();
    assert_eq!(node_disk.keep_only(u64::MAX, |name| name.starts_with("c@")).unwrap(), 0, "there is nothing but c");
    drop(node_disk);
    world.start(1);
    assert_all_there(&world, "c", &[1], 40).await;
}
