//! Core: what this node keeps of each partition, for plans of what a change of the ring would move.
//!
//! Keys are counted partition by partition; bytes only by bucket, so a partition has its part by keys.

use std::collections::BTreeMap;

use ringway_ring::Partition;

use crate::DataTier;

impl DataTier {
    /// Of each partition that is not empty its number, keys and bytes, over all open buckets.
    pub fn partition_loads(&self) -> Vec<(u16, u64, u64)> {
        let mut loads: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
        for bucket in self.view().buckets.values() {
            let usage = bucket.store().usage();
            for partition in Partition::all() {
                let keys = bucket.store().key_count(partition);
                if keys == 0 {
                    continue;
                }
                let bytes = (u128::from(usage.bytes) * u128::from(keys)).checked_div(u128::from(usage.keys));
                let load = loads.entry(partition.0).or_default();
                *load = (load.0 + keys, load.1 + bytes.unwrap_or(0) as u64);
            }
        }
        loads.into_iter().map(|(partition, (keys, bytes))| (partition, keys, bytes)).collect()
    }
}
