//! A volume in memory that loses what a disk may lose: sectors that were not synced, in any combination, and names.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::Error;
use crate::wal::volume::{LogFile, Volume};

const SECTOR_LEN: usize = 512;
/// After this nobody waits for a sync any more: it will not come.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyVolume(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    disk: Mutex<Disk>,
    /// Rings after each sync that went well.
    synced: Condvar,
}

#[derive(Clone, Debug, Default)]
struct Disk {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    safe_names: BTreeMap<String, usize>,
    renames: Vec<Rename>,
    /// How many more operations go well before the power is lost.
    operations_left: Option<usize>,
    operations: usize,
    /// How many more bytes fit.
    room: Option<usize>,
    /// Nothing longer is written at once.
    write_len_max: Option<usize>,
    syncs_fail: bool,
}

#[derive(Clone, Debug, Default)]
struct File {
    now: Vec<u8>,
    safe: Vec<u8>,
    /// Since the last sync.
    writes: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone, Debug)]
enum Rename {
    Create(String, usize),
    Move(String, String),
    Remove(String),
}

impl FaultyVolume {
    pub(crate) fn lose_power_after(&self, operations: usize) {
        self.disk().operations_left = Some(operations);
    }

    pub(crate) fn operations(&self) -> usize {
        self.disk().operations
    }

    pub(crate) fn set_room(&self, room: Option<usize>) {
        self.disk().room = room;
    }

    pub(crate) fn set_write_len_max(&self, len: usize) {
        self.disk().write_len_max = Some(len);
    }

    pub(crate) fn fail_syncs(&self) {
        self.disk().syncs_fail = true;
    }

    /// The bytes of each file, to be changed.
    pub(crate) fn change(&self, mut change: impl FnMut(&str, &mut Vec<u8>)) {
        let mut disk = self.disk();
        for (name, number) in disk.names.clone() {
            let file = &mut disk.files[number];
            change(&name, &mut file.now);
            file.safe.clone_from(&file.now);
        }
    }

    /// Waits until the bytes are where a loss of power cannot take them.
    pub(crate) fn wait_until_safe(&self, bytes: &[u8]) {
        let is_missing = |disk: &mut Disk| !disk.files.iter().any(|file| file.is_safe(bytes));
        let waited = self.0.synced.wait_timeout_while(self.disk(), PATIENCE, is_missing).unwrap().1;
        assert!(!waited.timed_out(), "\"{}\" was not synced", bytes.escape_ascii());
    }

    pub(crate) fn copy(&self) -> Self {
        Self::of(self.disk().clone())
    }

    /// What is found when the power is back: what was synced, and of the rest whatever the seed decides.
    pub(crate) fn after_power_loss(&self, seed: u64) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let mut disk = self.disk().clone();
        disk.names = disk.safe_names.clone();
        let kept = random.random_range(0..=disk.renames.len());
        for rename in std::mem::take(&mut disk.renames).into_iter().take(kept) {
            rename.apply(&mut disk.names);
        }
        disk.safe_names = disk.names.clone();
        let share = [0.0, 0.2, 0.5, 0.8, 1.0][random.random_range(0..5)];
        for file in &mut disk.files {
            for (offset, bytes) in std::mem::take(&mut file.writes) {
                file.keep_some_sectors(offset, &bytes, || random.random_bool(share));
            }
            file.now.clone_from(&file.safe);
        }
        (disk.operations_left, disk.room, disk.syncs_fail) = (None, None, false);
        Self::of(disk)
    }

    fn of(disk: Disk) -> Self {
        Self(Arc::new(Shared { disk: Mutex::new(disk), synced: Condvar::new() }))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.disk.lock().unwrap()
    }

    fn operate(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.disk();
        disk.operations += 1;
        match &mut disk.operations_left {
            Some(0) => return Err(io::Error::other("the power is lost")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(disk)
    }

    fn name(&self, rename: Rename) -> io::Result<()> {
        let mut disk = self.operate()?;
        rename.apply(&mut disk.names);
        disk.renames.push(rename);
        Ok(())
    }

    fn handle(&self, number: usize) -> Box<dyn LogFile> {
        Box::new(Handle { volume: self.clone(), number })
    }
}

impl File {
    fn is_safe(&self, bytes: &[u8]) -> bool {
        self.safe.windows(bytes.len()).any(|window| window == bytes)
    }

    fn keep_some_sectors(&mut self, offset: usize, bytes: &[u8], mut keeps: impl FnMut() -> bool) {
        let mut at = 0;
        while at < bytes.len() {
            let len = (SECTOR_LEN - (offset + at) % SECTOR_LEN).min(bytes.len() - at);
            if keeps() {
                put(&mut self.safe, offset + at, &bytes[at..at + len]);
            }
            at += len;
        }
    }
}

fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    file.resize(file.len().max(offset + bytes.len()), 0);
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl Rename {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Rename::Create(name, number) => {
                names.insert(name.clone(), *number);
            }
            Rename::Move(from, to) => {
                if let Some(number) = names.remove(from) {
                    names.insert(to.clone(), number);
                }
            }
            Rename::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Volume for FaultyVolume {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.disk().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        let number = disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(disk.files[*number].now.clone())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        if self.disk().room == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let number = self.disk().files.len();
        self.disk().files.push(File::default());
        self.name(Rename::Create(name.to_owned(), number))?;
        Ok(self.handle(number))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let number = *self.disk().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(number))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.name(Rename::Move(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.name(Rename::Remove(name.to_owned()))
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut disk = self.operate()?;
        disk.renames.clear();
        disk.safe_names = disk.names.clone();
        Ok(())
    }

    fn free(&self) -> u64 {
        self.disk().room.unwrap_or(usize::MAX) as u64
    }

    fn explain(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::StorageFull => Error::DiskFull { dir: "memory".into(), free: 0, reserve: 0 },
            _ => Error::Failed(error.to_string()),
        }
    }
}

#[derive(Debug)]
struct Handle {
    volume: FaultyVolume,
    number: usize,
}

impl LogFile for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.volume.disk().files[self.number].now.len() as u64)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.volume.operate()?;
        let offset = offset as usize;
        let before = disk.files[self.number].now.len();
        let len = bytes.len().min(disk.write_len_max.unwrap_or(usize::MAX));
        let fits = disk.room.map_or(len, |room| (before + room).saturating_sub(offset).min(len));
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = &mut disk.files[self.number];
        put(&mut file.now, offset, &bytes[..fits]);
        file.writes.push((offset, bytes[..fits].to_vec()));
        let grown = file.now.len() - before;
        disk.room = disk.room.map(|room| room - grown);
        Ok(fits)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.volume.operate()?;
        let file = &mut disk.files[self.number];
        file.now.truncate(len as usize);
        file.writes.push((len as usize, vec![0; SECTOR_LEN]));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.volume.operate()?;
        if disk.syncs_fail {
            return Err(io::Error::other("the disk is gone"));
        }
        let file = &mut disk.files[self.number];
        file.safe.clone_from(&file.now);
        file.writes.clear();
        drop(disk);
        self.volume.0.synced.notify_all();
        Ok(())
    }
}
