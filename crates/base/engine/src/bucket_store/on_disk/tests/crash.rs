//! The process is killed at any moment, under load, with strings and lists, while the flusher is at work.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::*;

const VICTIM: &str = "RINGWAY_BUCKET_VICTIM";
const NAME: &str = "bucket_store::on_disk::tests::crash::every_acknowledged_write_is_found_again_after_sigkill";
const KILLS: u64 = 6;
const WRITERS: u64 = 4;

/// Each writer sets its keys and pushes to its list, and says so.
fn be_the_victim(dir: PathBuf) {
    let disk = Arc::new(Disk::open(&dir).unwrap());
    let store = Arc::new(BucketStore::open(disk.clone(), "b", UNLIMITED).unwrap());
    store.set_cache_limit(256 << 10);
    std::thread::spawn(move || {
        loop {
            disk.flush().unwrap();
        }
    });
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        std::thread::spawn(move || write_for_ever(&store, writer))
    });
    writers.collect::<Vec<_>>().into_iter().for_each(|writer| writer.join().unwrap());
}

fn write_for_ever(store: &BucketStore, writer: u64) {
    let begin = list(store, &format!("list{writer}")).len() as u64;
    // What was not acknowledged may be there in part: the list has been in the database before the log had either of the two.
    if let Some(last) = begin.checked_sub(1) {
        set(store, &format!("w{writer}k{last}"), begin, &value(writer, last));
    }
    for number in begin.. {
        set(store, &format!("w{writer}k{number}"), number + 1, &value(writer, number));
        push(store, &format!("list{writer}"), number + 1, &number.to_le_bytes());
        store.acknowledged().unwrap().block().unwrap();
        writeln!(std::io::stdout(), "acknowledged {writer} {number}").unwrap();
    }
}

fn value(writer: u64, number: u64) -> Vec<u8> {
    vec![writer as u8; number as usize * 97 % 1_500]
}

fn victim(dir: &TempDir) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(VICTIM, &dir.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn every_acknowledged_write_is_found_again_after_sigkill() {
    if let Some(dir) = std::env::var_os(VICTIM) {
        return be_the_victim(dir.into());
    }
    let dir = TempDir::new();
    let mut acknowledged = [None; WRITERS as usize];
    for kill in 1..=KILLS {
        let mut victim = victim(&dir);
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
        let numbers = lines.filter_map(|line| {
            let mut words = line.split_once("acknowledged ")?.1.split(' ').map_while(|word| word.parse::<u64>().ok());
            Some((words.next()?, words.next()?))
        });
        let mut count = 0;
        for (writer, number) in numbers {
            acknowledged[writer as usize] = Some(number);
            count += 1;
            if count == kill * 150 {
                victim.kill().unwrap();
            }
        }
        victim.wait().unwrap();
        assert!(count >= kill * 150, "the victim died by itself");
        check(&dir, &acknowledged, kill);
    }
}

fn check(dir: &TempDir, acknowledged: &[Option<u64>], kill: u64) {
    let disk = Arc::new(Disk::open(&dir.0).unwrap());
    let store = BucketStore::open(disk, "b", UNLIMITED).unwrap();
    assert_eq!(store.damaged(), vec![]);
    let mut missing = Vec::new();
    for (writer, last) in (0..).zip(acknowledged) {
        let Some(last) = *last else { continue };
        let items = list(&store, &format!("list{writer}"));
        assert!(items.len() as u64 > last, "kill {kill}: {} items of {last} and more", items.len());
        assert!(items.iter().zip(0u64..).all(|(item, number)| *item == number.to_le_bytes()), "kill {kill}");
        for number in 0..=last {
            let found = get(&store, &format!("w{writer}k{number}"));
            if found.is_none_or(|found| found != value(writer, number)) {
                missing.push(format!("w{writer}k{number}"));
            }
        }
    }
    assert_eq!(missing, [""; 0], "kill {kill} of {acknowledged:?}");
}
