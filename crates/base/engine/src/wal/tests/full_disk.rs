use super::*;
use crate::testing::SmallDisk;

fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_true() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn without_room_writes_are_refused_and_go_on_when_there_is_room() {
    let volume = FaultyVolume::default();
    let (log, _) = open(&volume);
    let mut acknowledged = 0;
    volume.set_room(Some(700));
    let refused = loop {
        let position = log.append(1, Durability::Sync, &body(acknowledged)).unwrap();
        match block_on(log.synced(position)) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
    assert!(matches!(log.append(1, Durability::Sync, b"refused"), Err(Error::DiskFull { .. })));
    volume.set_room(None);
    wait_until("the log goes on", || log.check().is_ok());
    let position = log.append(1, Durability::Sync, b"after").unwrap();
    block_on(log.synced(position)).unwrap();
    drop(log);
    let found = reopen(&volume);
    // The one that was not acknowledged was on its way, and came through.
    let expected: Vec<_> = bodies(0..acknowledged + 1).into_iter().chain([b"after".to_vec()]).collect();
    assert_eq!((found.bodies, found.recovery.damage), (expected, vec![]));
}

#[test]
fn short_writes_are_gone_on_with() {
    let volume = FaultyVolume::default();
    volume.set_write_len_max(13);
    let (log, _) = open(&volume);
    for number in 0..30 {
        log.append(1, Durability::Sync, &body(number)).unwrap();
    }
    block_on(log.synced(log.end())).unwrap();
    drop(log);
    assert_eq!(reopen(&volume).bodies, bodies(0..30));
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    let volume = FaultyVolume::default();
    let (log, _) = open(&volume);
    let position = log.append(1, Durability::Sync, &body(0)).unwrap();
    block_on(log.synced(position)).unwrap();
    volume.fail_syncs();
    let position = log.append(1, Durability::Sync, &body(1)).unwrap();
    assert!(matches!(block_on(log.synced(position)), Err(Error::Failed(_))));
    assert!(matches!(log.append(1, Durability::Sync, &body(2)), Err(Error::Failed(_))));
    assert!(matches!(block_on(log.synced(position)), Err(Error::Failed(_))));
    drop(log);
    let found = reopen(&volume.after_power_loss(1));
    assert_eq!(found.bodies[0], body(0));
}

#[test]
fn what_the_disk_does_not_follow_with_is_refused() {
    let volume = FaultyVolume::default();
    let (log, _) = open(&volume);
    volume.set_room(Some(0));
    let refused = loop {
        if let Err(error) = log.append(1, Durability::Memory, &[7; 100]) {
            break error;
        }
    };
    assert!(matches!(refused, Error::Overloaded { .. } | Error::DiskFull { .. }), "{refused}");
}

/// On the smallest real disk there is.
#[test]
fn a_real_full_disk_loses_nothing_that_was_acknowledged() {
    let disk = SmallDisk::mount(2);
    let (dir, filler) = (disk.path().join("log"), disk.path().join("filler"));
    std::fs::write(&filler, vec![0; 1 << 20]).unwrap();
    let config = LogConfig { segment_bytes: 64 << 10, ..LogConfig::default() };
    let (log, _) = Log::open(&dir, config, |_| {}).unwrap();
    let mut acknowledged = 0u64;
    let mut write = || {
        let body = [&acknowledged.to_le_bytes()[..], &[0; 900]].concat();
        let position = log.append(1, Durability::Sync, &body)?;
        block_on(log.synced(position))?;
        acknowledged += 1;
        Ok::<_, Error>((acknowledged, position))
    };
    let mut until_refused = || loop {
        if let Err(error) = write() {
            break error;
        }
    };
    assert!(matches!(until_refused(), Error::DiskFull { .. }));
    std::fs::remove_file(&filler).unwrap();
    wait_until("there is room", || log.check().is_ok());
    assert!(matches!(until_refused(), Error::DiskFull { .. }));
    log.cut_before(Position(512 << 10)).unwrap();
    wait_until("there is room", || log.check().is_ok());
    let (acknowledged, _) = write().unwrap();
    drop(log);
    let mut found = Vec::new();
    let (_, recovery) = Log::open(&dir, config, |record| {
        found.push(u64::from_le_bytes(*record.body.first_chunk().unwrap()));
    })
    .unwrap();
    assert_eq!(recovery.damage, vec![]);
    found.dedup();
    assert_eq!(found, (found[0]..acknowledged).collect::<Vec<_>>());
    assert!((400..600).contains(&found[0]), "what was cut is {} records", found[0]);
}
