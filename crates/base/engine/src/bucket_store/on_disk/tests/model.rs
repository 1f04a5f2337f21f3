//! Random commands, flushes, evictions, restarts and crashes, against states in a map.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::*;

struct World {
    node: Option<Node>,
    model: BTreeMap<String, State>,
    random: Pcg64Mcg,
    wall_ms: u64,
}

impl World {
    fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    fn store(&self) -> &BucketStore {
        &self.node().store
    }

    /// Of few partitions, so that some keys of one are in memory and some are not.
    fn key(&mut self) -> String {
        format!("{{{}}}{}", self.random.random_range(0..3), self.random.random_range(0..40))
    }

    fn step(&mut self) {
        self.wall_ms += 1;
        let (key, at) = (self.key(), self.wall_ms);
        match self.random.random_range(0..100) {
            0..30 => {
                let value = vec![at as u8; self.random.random_range(0..200)];
                set(self.store(), &key, at, &value);
                let register = ringway_values::Register::new(version(at), value.into(), None);
                self.model.entry(key).or_default().merge(State::Register(register));
            }
            30..40 => {
                remove(self.store(), &key, at);
                let register = ringway_values::Register::tombstone(version(at));
                self.model.entry(key).or_default().merge(State::Register(register));
            }
            40..60 => self.edit(&key, at, |state, dot| {
                let mut edit = state.open(Kind::List, NOW_MS, dot).ok()?;
                edit.push_back(&dot.wall_ms.to_le_bytes());
                edit.finish().map(Update::Delta)
            }),
            60..70 => self.edit(&key, at, |state, dot| {
                let mut edit = state.open(Kind::Hash, NOW_MS, dot).ok()?;
                edit.hash_set(format!("field {}", dot.wall_ms % 5).as_bytes(), &dot.wall_ms.to_le_bytes());
                edit.finish().map(Update::Delta)
            }),
            70..80 => self.edit(&key, at, |state, dot| state.remove(NOW_MS, dot)),
            80..86 => self.node().disk.flush().unwrap(),
            86..92 => self.node().chill(),
            92..94 => self.again(Node::restart),
            94..96 => self.again(Node::crash),
            96 => self.drop_partition(&key),
            _ => self.check(&key),
        }
    }

    fn edit(&mut self, key: &str, at: u64, edit: impl Fn(&mut State, Version) -> Option<Update>) {
        let (partition, bytes) = place(key);
        self.store().lock(partition).edit(bytes, |state| (edit(state, version(at)), ())).unwrap();
        let state = self.model.entry(key.to_owned()).or_default();
        edit(state, version(at));
        state.settle();
    }

    fn drop_partition(&mut self, key: &str) {
        let (partition, _) = place(key);
        self.store().drop_partition(partition).unwrap();
        self.model.retain(|key, _| partition_of(key.as_bytes()) != partition);
    }

    fn again(&mut self, how: impl FnOnce(Node) -> Node) {
        let before = digests(self.store());
        self.node = self.node.take().map(how);
        assert_eq!(digests(self.store()), before);
        assert_eq!(self.store().damaged(), vec![]);
    }

    fn check(&self, key: &str) {
        let (partition, bytes) = place(key);
        let digest = |state: &State| if state.is_unknown() { 0 } else { state.digest(bytes) };
        let found = self.store().lock(partition).state(bytes).unwrap();
        let expected = self.model.get(key);
        assert_eq!(found.as_ref().map_or(0, digest), expected.map_or(0, digest), "{key}: {found:?}, not {expected:?}");
        let is_here = |key: &str, state: &State| partition_of(key.as_bytes()) == partition && !state.is_unknown();
        let here: BTreeMap<_, _> = self.model.iter().filter(|(key, state)| is_here(key, state)).collect();
        let digest = here.iter().fold(0, |digest, (key, state)| digest ^ state.digest(key.as_bytes()));
        assert_eq!(self.store().digest(partition), digest, "digest of the partition of {key}");
        let walked: BTreeSet<String> = walk(self.store(), partition, MANY).into_iter().collect();
        assert_eq!(walked, here.into_keys().cloned().collect());
        let live = self.model.values().filter(|state| state.kind().is_some()).count() as u64;
        assert_eq!(self.store().usage().keys, live);
    }
}

#[test]
fn whatever_happens_a_bucket_on_disk_holds_what_a_map_holds() {
    for seed in 0..8 {
        let random = Pcg64Mcg::seed_from_u64(seed);
        let mut world = World { node: Some(Node::new()), model: BTreeMap::new(), random, wall_ms: 0 };
        for _ in 0..400 {
            world.step();
        }
        let keys: Vec<String> = world.model.keys().cloned().collect();
        keys.iter().for_each(|key| world.check(key));
    }
}
