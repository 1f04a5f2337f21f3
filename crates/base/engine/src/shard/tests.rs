use std::collections::HashMap;

use super::*;

impl Shard {
    pub(crate) fn due_len(&self) -> usize {
        self.due.len()
    }

    /// Whether everything in it agrees with everything else.
    pub(crate) fn check(&self) {
        let dues = self.due.earliest();
        let mut queued = [HashMap::new(), HashMap::new()];
        self.fifo
            .handles()
            .for_each(|(handle, main)| *queued[usize::from(main)].entry(handle.bits()).or_insert(0) += 1);
        let mut lanes = [(0, 0); 2];
        let mut wanted = [HashMap::new(), HashMap::new()];
        for (local, part) in self.parts.iter().enumerate() {
            let mut sums = Sums::default();
            for slot in part.table.slots() {
                let entry = slot.entry();
                let (handle, measure) = (self.handle_of(local, entry.key()), Measure::of(entry, self.retention_ms));
                sums.add(&measure);
                let lane = &mut lanes[usize::from(slot.is_main())];
                *lane = (lane.0 + measure.bytes, lane.1 + 1);
                *wanted[usize::from(slot.is_main())].entry(handle.bits()).or_insert(0) += 1;
                if let Some(due_ms) = measure.due_ms {
                    let queued = dues.get(&handle.bits());
                    // What may not be forgotten yet is queued for later than it is due, as of `Due::now`.
                    let latest = due_ms.max(self.due.now() + FORGET_RETRY_MS);
                    assert!(queued.is_some_and(|at| *at <= latest), "due at {due_ms}, queued at {queued:?}");
                }
                let found =
                    part.table.find(entry.key(), self.seed.spread(entry.key())).expect("it is found by its key");
                assert_eq!(part.table.slot(found), slot);
            }
            assert_eq!(sums, part.sums, "partition {local}");
            assert_eq!(part.table.slots().count(), part.table.len());
        }
        assert_eq!(lanes, self.fifo.totals());
        assert_eq!(self.account.weight(self.number), self.fifo.bytes());
        for main in [0, 1] {
            for (handle, count) in &wanted[main] {
                let queued = queued[main].get(handle).copied().unwrap_or(0);
                assert!(queued >= *count, "{count} entries in queue {main}, {queued} handles");
            }
        }
    }
}
