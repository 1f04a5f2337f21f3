//! Driver: where this machine stands on the ring, kept over a restart; and drawing places.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ringway_ring::{PARTITION_COUNT, Partition, Point};
use ringway_rt::{files, random};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::error::Error;

const FILE: &str = "places.json";

/// On disk.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Each the last point of a partition: by its number.
    partitions: Vec<u16>,
}

/// The partition that a point is in.
pub fn partition_at(point: Point) -> Partition {
    Partition((point.0 >> (64 - PARTITION_COUNT.trailing_zeros())) as u16)
}

/// Places end where partitions do, so that an arc is whole partitions (and Redis slots). One that is not among `taken`: a random one, or the next free one after it. None if the ring is full.
pub fn draw(taken: &BTreeSet<Point>) -> Option<Point> {
    let count = PARTITION_COUNT as u64;
    let start = random::number() % count;
    (0..count).map(|step| Partition(((start + step) % count) as u16).end()).find(|point| !taken.contains(point))
}

/// The places of the last time, brought to the wanted number. A file that is missing or damaged is no harm: a machine with other
/// places is a machine that joins anew.
pub fn load(dir: &Path, count: u8) -> BTreeSet<Point> {
    let mut points = read(dir).unwrap_or_default();
    while points.len() > usize::from(count) {
        points.pop_last();
    }
    while points.len() < usize::from(count) {
        let Some(point) = draw(&points) else { break };
        points.insert(point);
    }
    points
}

fn read(dir: &Path) -> Option<BTreeSet<Point>> {
    let path = dir.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            info!("this node has no places on the ring yet and draws some");
            return None;
        }
        Err(why) => {
            warn!(path = %path.display(), %why, "places on the ring cannot be read: new ones are drawn");
            return None;
        }
    };
    match serde_json::from_slice::<Kept>(&bytes) {
        Ok(kept) if kept.partitions.iter().all(|number| usize::from(*number) < PARTITION_COUNT) => {
            Some(kept.partitions.into_iter().map(|number| Partition(number).end()).collect())
        }
        Ok(_) => {
            warn!(path = %path.display(), "places on the ring are out of range: new ones are drawn");
            None
        }
        Err(why) => {
            warn!(path = %path.display(), %why, "places on the ring are damaged: new ones are drawn");
            None
        }
    }
}

pub fn save(dir: &Path, points: &BTreeSet<Point>) -> Result<(), Error> {
    let path: PathBuf = dir.join(FILE);
    let kept = Kept { partitions: points.iter().map(|point| partition_at(*point).0).collect() };
    let json = serde_json::to_vec(&kept).map_err(|why| Error::Internal(format!("places: {why}")))?;
    files::write_atomic(&path, &json, files::PRIVATE).map_err(|source| Error::Disk { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_last_point_of_its_partition() {
        for partition in Partition::all() {
            let point = partition.end();
            assert_eq!(partition_at(point), partition);
            assert_eq!(point.slot(), partition.slots().1);
            assert_eq!(partition_at(point.plus(1)).0, (partition.0 + 1) % PARTITION_COUNT as u16);
        }
    }

    #[test]
    fn places_are_the_same_after_a_restart_and_new_ones_if_they_are_damaged() {
        let dir = std::env::temp_dir().join(format!("ringway-places-{:016x}", random::number()));
        files::create_private_dir(&dir).unwrap();
        let first = load(&dir, 8);
        assert_eq!(first.len(), 8);
        save(&dir, &first).unwrap();
        assert_eq!(load(&dir, 8), first);
        assert!(load(&dir, 3).is_subset(&first) && load(&dir, 9).is_superset(&first));
        std::fs::write(dir.join(FILE), b"{\"partitions\":[4096]}").unwrap();
        assert_eq!(load(&dir, 8).len(), 8);
        std::fs::write(dir.join(FILE), b"nonsense").unwrap();
        assert_eq!(load(&dir, 8).len(), 8);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_full_ring_has_no_place_left() {
        let mut taken: BTreeSet<Point> = Partition::all().map(Partition::end).collect();
        assert_eq!(draw(&taken), None);
        let free = taken.pop_first();
        assert_eq!(draw(&taken), free);
    }
}
