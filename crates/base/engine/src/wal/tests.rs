mod crash;
mod faulty_volume;
mod full_disk;
mod group;

use std::ops::Range;
use std::sync::Arc;

use self::faulty_volume::FaultyVolume;
use super::*;

/// Small enough that a few records fill a segment.
const SMALL: LogConfig =
    LogConfig { segment_bytes: 512, buffer_bytes_max: 4096, batch_within: Duration::from_millis(5) };

#[derive(Debug, Default, PartialEq, Eq)]
struct Reopened {
    bodies: Vec<Vec<u8>>,
    recovery: Recovery,
}

fn open(volume: &FaultyVolume) -> (Log, Reopened) {
    let mut bodies = Vec::new();
    let (log, recovery) =
        Log::open_on(Arc::new(volume.clone()), SMALL, |record| bodies.push(record.body.to_vec())).unwrap();
    (log, Reopened { bodies, recovery })
}

fn reopen(volume: &FaultyVolume) -> Reopened {
    open(volume).1
}

fn body(number: usize) -> Vec<u8> {
    format!("record {number} {}", "x".repeat(number * 7 % 90)).into_bytes()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A log of records that were synced one by one, and where each ends.
fn synced_log(records: usize) -> (FaultyVolume, Vec<Position>) {
    let volume = FaultyVolume::default();
    let (log, _) = open(&volume);
    let ends = block_on(async {
        let mut ends = Vec::new();
        for number in 0..records {
            ends.push(log.append(1, Durability::Sync, &body(number)).unwrap());
            log.synced(ends[number]).await.unwrap();
        }
        ends
    });
    drop(log);
    (volume, ends)
}

fn bodies(numbers: Range<usize>) -> Vec<Vec<u8>> {
    numbers.map(body).collect()
}

/// Names of the segments, and what is at their beginning.
fn segments(volume: &FaultyVolume) -> Vec<Segment> {
    volume.names().unwrap().iter().filter_map(|name| Segment::parse(name)).collect()
}

#[test]
fn what_was_appended_comes_back_in_order_over_many_segments_and_restarts() {
    let volume = FaultyVolume::default();
    for round in 0..5 {
        let (log, found) = open(&volume);
        assert_eq!(found.bodies, bodies(0..round * 20));
        assert_eq!((found.recovery.damage, found.recovery.torn), (vec![], vec![]));
        for number in round * 20..(round + 1) * 20 {
            log.append(7, Durability::Memory, &body(number)).unwrap();
            let end = log.end();
            block_on(log.written(end)).unwrap();
        }
    }
    assert!(segments(&volume).len() > 5);
}

#[test]
fn a_log_cut_off_at_any_byte_opens_with_every_record_before_it_and_goes_on() {
    let (volume, ends) = synced_log(12);
    let last = *segments(&volume).last().unwrap();
    for len in 0..=SMALL.segment_bytes {
        let cut = volume.copy();
        cut.change(|name, bytes| {
            if name == last.name() {
                bytes.truncate(len as usize);
            }
        });
        let whole = ends.iter().filter(|end| end.0 <= last.base + len).count();
        let (log, found) = open(&cut);
        assert_eq!(found.bodies, bodies(0..whole), "cut at byte {len}");
        assert_eq!(found.recovery.damage, vec![], "cut at byte {len}");
        log.append(1, Durability::Sync, b"next").unwrap();
        drop(log);
        let found = reopen(&cut);
        assert_eq!(found.bodies.last().map(Vec::as_slice), Some(&b"next"[..]), "cut at byte {len}");
        assert_eq!((found.bodies.len(), found.recovery.damage), (whole + 1, vec![]), "cut at byte {len}");
    }
}

#[test]
fn a_flipped_bit_costs_one_record_and_is_told() {
    let (volume, ends) = synced_log(12);
    for segment in segments(&volume) {
        for at in 0..SMALL.segment_bytes {
            let flipped = volume.copy();
            flipped.change(|name, bytes| {
                if name == segment.name() && (at as usize) < bytes.len() {
                    bytes[at as usize] ^= 1 << (at % 8);
                }
            });
            let position = segment.base + at;
            let found = reopen(&flipped);
            let lost = 12 - found.bodies.len();
            assert!(lost <= 1, "{lost} records lost by byte {position}");
            // The last one has nothing behind it that says that it was synced.
            if lost == 1 && position < ends[10].0 {
                let told = found.recovery.damage.iter().any(|hole| (hole.start.0..hole.end.0).contains(&position));
                assert!(told, "nobody is told of byte {position}: {:?}", found.recovery);
            }
        }
    }
}

#[test]
fn a_lost_segment_is_told_and_later_ones_are_read() {
    let (volume, _) = synced_log(30);
    let lost = segments(&volume)[1];
    volume.remove(&lost.name()).unwrap();
    let found = reopen(&volume);
    assert_eq!(found.recovery.damage.len(), 1);
    assert_eq!(found.recovery.damage[0].start, Position(lost.base));
    assert_eq!(found.bodies.first(), Some(&body(0)));
    assert_eq!(found.bodies.last(), Some(&body(29)));
}

#[test]
fn what_is_cut_goes_and_its_files_are_written_over() {
    let volume = FaultyVolume::default();
    let (log, _) = open(&volume);
    let mut files = 0;
    for number in 0..200 {
        let position = log.append(1, Durability::Sync, &body(number)).unwrap();
        block_on(log.synced(position)).unwrap();
        if number % 10 == 9 {
            log.cut_before(position).unwrap();
        }
        files = files.max(volume.names().unwrap().len());
    }
    assert!(files < 8, "{files} files at once");
    assert!(volume.names().unwrap().iter().any(|name| is_spare(name)), "files are kept to be written over");
    assert!(log.len() < 4 * SMALL.segment_bytes, "{} bytes are left", log.len());
    drop(log);
    let found = reopen(&volume);
    assert_eq!(found.recovery.damage, vec![]);
    let left = found.bodies.len();
    assert!(left < 20);
    assert_eq!(found.bodies, bodies(200 - left..200), "of a file's former life nothing comes back");
}

#[test]
fn short_records_are_taken_beside_one_long_one_that_waits_and_no_other_long_one() {
    let max = SMALL.buffer_bytes_max;
    let mut desk = Desk { buffer: vec![0; max - 1], longest: 30, ..Desk::default() };
    assert!(!desk.is_full(3 * max, max), "what is longer than the buffer is taken while there is any room");
    desk.buffer.extend_from_slice(&vec![0; 3 * max]);
    desk.longest = 3 * max;
    assert!(desk.is_full(max, max));
    assert!(!desk.is_full(30, max));
    desk.buffer.push(0);
    assert!(desk.is_full(30, max), "short ones together are as much as they may be");
}

#[test]
fn a_record_longer_than_a_segment_and_than_the_buffer_is_taken() {
    let volume = FaultyVolume::default();
    let (log, _) = open(&volume);
    let long = vec![7; 3 * SMALL.buffer_bytes_max];
    let position = log.append(1, Durability::Sync, &long).unwrap();
    block_on(log.synced(position)).unwrap();
    log.append(1, Durability::Sync, b"short").unwrap();
    drop(log);
    assert_eq!(reopen(&volume).bodies, vec![long, b"short".to_vec()]);
}
