//! Core: a set of partitions, as a bitmap in memory and as runs (`[[first, last], …]`) where it is stored or sent.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{PARTITION_COUNT, Partition};

const WORD_BITS: usize = 64;
const WORDS: usize = PARTITION_COUNT / WORD_BITS;

/// Boxed: it is a field of commands, most of which are small.
#[derive(Clone, PartialEq, Eq)]
pub struct PartitionSet(Box<[u64; WORDS]>);

impl PartitionSet {
    pub fn all() -> Self {
        Self(Box::new([u64::MAX; WORDS]))
    }

    /// Whether it was not in it before.
    pub fn insert(&mut self, partition: Partition) -> bool {
        let (word, bit) = place(partition);
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    pub fn remove(&mut self, partition: Partition) {
        let (word, bit) = place(partition);
        self.0[word] &= !bit;
    }

    pub fn contains(&self, partition: Partition) -> bool {
        let (word, bit) = place(partition);
        self.0[word] & bit != 0
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub fn iter(&self) -> impl Iterator<Item = Partition> + '_ {
        Partition::all().filter(|partition| self.contains(*partition))
    }

    fn runs(&self) -> Vec<(u16, u16)> {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for Partition(number) in self.iter() {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => runs.push((number, number)),
            }
        }
        runs
    }
}

fn place(partition: Partition) -> (usize, u64) {
    (partition.index() / WORD_BITS, 1 << (partition.index() % WORD_BITS))
}

impl Default for PartitionSet {
    fn default() -> Self {
        Self(Box::new([0; WORDS]))
    }
}

impl FromIterator<Partition> for PartitionSet {
    fn from_iter<I: IntoIterator<Item = Partition>>(partitions: I) -> Self {
        let mut set = Self::default();
        set.extend(partitions);
        set
    }
}

impl Extend<Partition> for PartitionSet {
    fn extend<I: IntoIterator<Item = Partition>>(&mut self, partitions: I) {
        partitions.into_iter().for_each(|partition| _ = self.insert(partition));
    }
}

impl std::fmt::Debug for PartitionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let runs: Vec<String> = self.runs().iter().map(|(first, last)| format!("{first}-{last}")).collect();
        write!(f, "{{{}}}", runs.join(" "))
    }
}

impl Serialize for PartitionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.runs().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PartitionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut set = Self::default();
        for (first, last) in Vec::<(u16, u16)>::deserialize(deserializer)? {
            if first > last || usize::from(last) >= PARTITION_COUNT {
                return Err(D::Error::custom(format!("{first} to {last} is no run of partitions")));
            }
            set.extend((first..=last).map(Partition));
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_stored_as_runs_and_comes_back_as_it_was() {
        let set: PartitionSet = [0, 1, 2, 63, 64, 4095].map(Partition).into_iter().collect();
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, "[[0,2],[63,64],[4095,4095]]");
        assert_eq!(serde_json::from_str::<PartitionSet>(&json).unwrap(), set);
        assert_eq!((set.len(), PartitionSet::all().len()), (6, PARTITION_COUNT));
        assert!(!set.contains(Partition(3)) && set.contains(Partition(64)));
    }

    #[test]
    fn runs_that_are_none_are_refused() {
        for json in ["[[0,4096]]", "[[2,1]]"] {
            assert!(serde_json::from_str::<PartitionSet>(json).is_err(), "{json}");
        }
    }
}
