use super::*;

fn faults(change: impl FnOnce(&mut Bucket)) -> Vec<String> {
    let mut bucket = Bucket::default();
    change(&mut bucket);
    bucket.faults().into_iter().map(|(key, invalid)| format!("{key}: {invalid}")).collect()
}

#[test]
fn a_bucket_of_defaults_has_no_fault_and_waits_for_memory_alone() {
    assert_eq!(faults(|_| {}), Vec::<String>::new());
    assert_eq!(Bucket::default().durability(), Durability::Memory);
}

#[test]
fn a_disk_bucket_batches_unless_it_says_otherwise() {
    let disk = Bucket { storage: Storage::Disk, ..Bucket::default() };
    assert_eq!(disk.durability(), Durability::Batch);
    let sync = Bucket { durability: Some(Durability::Sync), ..disk };
    assert_eq!((sync.durability(), sync.faults().len()), (Durability::Sync, 0));
}

#[test]
fn who_wants_a_memory_bucket_to_be_durable_is_told_that_it_is_not() {
    let said = faults(|bucket| bucket.durability = Some(Durability::Sync));
    assert_eq!(said, ["durability: `sync` is for `storage = \"disk\"`: this bucket is in memory"]);
}

#[test]
fn every_number_has_its_range() {
    assert_eq!(faults(|bucket| bucket.replicas = 4), ["replicas: 4 is not between 1 and 3"]);
    assert_eq!(
        faults(|bucket| bucket.limit = Bytes(1000)),
        ["limit: 1kB is too little to hold anything: at least 1MiB"]
    );
    assert_eq!(faults(|bucket| bucket.ttl = Some(Duration::ZERO)), ["ttl: it must be more than 0"]);
    let quotas = faults(|bucket| (bucket.ops_per_second, bucket.connections) = (Some(0), Some(u32::MAX)));
    assert_eq!(quotas.len(), 2, "{quotas:?}");
}

#[test]
fn a_bucket_as_the_first_release_stored_it_has_no_quotas() {
    let old = r#"{"consistency":"Eventual","replicas":2,"storage":"Disk","limit":64000000,"ttl":null}"#;
    let bucket: Bucket = serde_json::from_str(old).expect("it is read");
    let expected = Bucket { replicas: 2, storage: Storage::Disk, ..Bucket::default() };
    assert_eq!(bucket, expected);
}
