use super::*;
use crate::testing::SmallDisk;

const DISK_MIB: usize = 96;

fn fill(path: &std::path::Path) {
    let mut file = std::fs::File::create(path).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
}

/// Writes values of a kilobyte until one is refused; how many were acknowledged, and why no more.
fn write_until_refused(store: &BucketStore, from: u64) -> (u64, Error) {
    let mut number = from;
    loop {
        let written = try_set(store, &format!("k{number}"), number + 1, &[number as u8; 1_000]);
        match written.and_then(|()| store.acknowledged().unwrap().block()) {
            Ok(()) => number += 1,
            Err(Error::Overloaded { .. }) => std::thread::yield_now(),
            Err(error) => return (number, error),
        }
    }
}

fn check(store: &BucketStore, acknowledged: u64, when: &str) {
    for number in 0..acknowledged {
        let value = get(store, &format!("k{number}"));
        assert!(value.is_some_and(|value| value == vec![number as u8; 1_000]), "k{number} {when}");
    }
}

#[test]
fn on_a_full_disk_reads_go_on_nothing_acknowledged_is_lost_and_the_node_starts() {
    let disk = SmallDisk::mount(DISK_MIB);
    let (dir, filler) = (disk.path().join("data"), disk.path().join("filler"));
    let node = Arc::new(Disk::open(&dir).unwrap());
    let store = BucketStore::open(node.clone(), "b", UNLIMITED).unwrap();
    let (acknowledged, error) = write_until_refused(&store, 0);
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(acknowledged > 1_000, "{acknowledged}");
    check(&store, acknowledged, "when the disk is full");
    // Somebody else takes the reserve, too, and the node is killed.
    fill(&filler);
    check(&store, acknowledged, "when there is nothing left");
    node.flusher().kill();
    drop((store, node));
    let node = Arc::new(Disk::open(&dir).unwrap());
    let store = BucketStore::open(node.clone(), "b", UNLIMITED).unwrap();
    check(&store, acknowledged, "after a start on a full disk");
    assert!(matches!(write_until_refused(&store, acknowledged).1, Error::DiskFull { .. }));
    std::fs::remove_file(&filler).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while let Err(error) = node.flush() {
        assert!(std::time::Instant::now() < deadline, "{error}");
        std::thread::yield_now();
    }
    check(&store, acknowledged, "when there is room again");
    drop((store, node));
    let node = Arc::new(Disk::open(&dir).unwrap());
    let store = BucketStore::open(node, "b", UNLIMITED).unwrap();
    check(&store, acknowledged, "after another start");
}
