//! The power goes off after any operation, and the process is killed at any moment.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;
use crate::testing::TempDir;

const VICTIM: &str = "RINGWAY_LOG_VICTIM";
const KILLS: usize = 8;

/// What one run knows of the log.
#[derive(Clone, Debug, Default)]
struct Diary {
    appended: Vec<Vec<u8>>,
    /// Were acknowledged as synced and need to come back.
    acknowledged: BTreeSet<usize>,
}

/// Some rounds of writes until they are done or the power is lost.
fn live(volume: &FaultyVolume, diary: &mut Diary) {
    let Ok((log, _)) = Log::open_on(Arc::new(volume.clone()), SMALL, |_| {}) else { return };
    let _ = block_on(async {
        for round in 0..10 {
            let begin = diary.appended.len();
            let mut position = Position(0);
            for _ in 0..3 {
                let body = body(diary.appended.len());
                position = log.append(1, Durability::Sync, &body)?;
                diary.appended.push(body);
            }
            if round % 3 == 1 {
                log.written(position).await?;
                continue;
            }
            log.synced(position).await?;
            diary.acknowledged.extend(begin..diary.appended.len());
            if round % 4 == 3 {
                diary.acknowledged.clear();
                log.cut_before(position)?;
            }
        }
        Ok::<(), Error>(())
    });
}

/// Everything acknowledged is there and nothing is there twice, out of order or that nobody wrote.
fn check(found: &Reopened, diary: &Diary, context: &str) {
    let numbers: Vec<usize> = found
        .bodies
        .iter()
        .map(|body| diary.appended.iter().position(|appended| appended == body).expect("somebody wrote it"))
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{context}: {numbers:?}");
    let missing: Vec<_> = diary.acknowledged.iter().filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty(), "{context}: {missing:?} were acknowledged and are lost");
    assert_eq!(found.recovery.damage, vec![], "{context}: an ordinary crash is no damage");
}

#[test]
fn what_was_acknowledged_survives_a_loss_of_power_after_any_operation() {
    let whole = FaultyVolume::default();
    live(&whole, &mut Diary::default());
    assert!(whole.operations() > 40, "{} operations", whole.operations());
    for operations in 0..whole.operations() {
        let volume = FaultyVolume::default();
        volume.lose_power_after(operations);
        let mut diary = Diary::default();
        live(&volume, &mut diary);
        for seed in 0..6 {
            let context = format!("power lost after {operations} operations, seed {seed}");
            let volume = volume.after_power_loss(seed);
            check(&reopen(&volume), &diary, &context);
            // And once more, while it recovers and goes on.
            let mut diary = diary.clone();
            volume.lose_power_after(seed as usize * 3);
            live(&volume, &mut diary);
            check(&reopen(&volume.after_power_loss(seed)), &diary, &format!("{context}, and again"));
        }
    }
}

/// Appends numbers and prints those that were acknowledged, until it is killed.
fn be_the_victim(dir: &Path) {
    let config = LogConfig { segment_bytes: 64 << 10, ..LogConfig::default() };
    let mut next = 0u64;
    let (log, _) = Log::open(dir, config, |record| next = number_in(record.body) + 1).unwrap();
    let durability = if next.is_multiple_of(2) { Durability::Sync } else { Durability::Batch };
    block_on(async {
        loop {
            let body = [&next.to_le_bytes()[..], &vec![0; next as usize * 37 % 2000]].concat();
            let position = log.append(1, durability, &body).unwrap();
            log.acknowledged(position, durability).await.unwrap();
            writeln!(std::io::stdout(), "acknowledged {next}").unwrap();
            next += 1;
        }
    });
}

fn number_in(body: &[u8]) -> u64 {
    u64::from_le_bytes(*body.first_chunk().unwrap())
}

#[test]
fn every_acknowledged_record_is_found_again_after_sigkill() {
    if let Some(dir) = std::env::var_os(VICTIM) {
        return be_the_victim(Path::new(&dir));
    }
    let dir = TempDir::new();
    let mut acknowledged = None;
    for kill in 0..KILLS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "wal::tests::crash::every_acknowledged_record_is_found_again_after_sigkill"])
            .arg("--nocapture")
            .env(VICTIM, &dir.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
        let wanted = 1 + kill * 37;
        let number = |line: String| line.split_once("acknowledged ")?.1.parse::<u64>().ok();
        let before = acknowledged;
        acknowledged = acknowledged.max(lines.by_ref().filter_map(number).take(wanted).last());
        victim.kill().unwrap();
        acknowledged = acknowledged.max(lines.filter_map(number).last());
        victim.wait().unwrap();
        assert!(acknowledged > before, "the victim wrote nothing");
        let mut found = Vec::new();
        let (_, recovery) =
            Log::open(&dir.0, LogConfig::default(), |record| found.push(number_in(record.body))).unwrap();
        assert_eq!(recovery.damage, vec![]);
        let last = acknowledged.unwrap();
        assert!(
            found.len() as u64 > last && found.iter().copied().eq(0..found.len() as u64),
            "kill {kill}: {last} {found:?}"
        );
    }
}
