//! Core: some states of a partition, by position: a walk in pieces, in the order that is the same on every node (`page.rs`).

use std::ops::Range;

use bytes::Bytes;
use ringway_values::State;

use crate::handle::{position_of_region, region_of_position};
use crate::page::{PageLimit, position_of};
use crate::table::Table;

#[derive(Clone, Debug, Default)]
pub struct StatePage {
    pub states: Vec<(Bytes, State)>,
    /// Where the next page begins; `None` at the end of the partition.
    pub next: Option<u64>,
}

impl StatePage {
    /// Of these positions. Sorts the entries of one segment of the table at a time.
    pub(crate) fn of(table: &Table, within: Range<u64>, limit: PageLimit) -> Self {
        let mut writer = StatePageWriter::new(limit);
        let mut next = Some(region_of_position(within.start));
        while let Some(region) = next.filter(|region| position_of_region(*region) < within.end) {
            let (slots, after) = table.slots_at(region);
            next = after;
            let mut entries: Vec<_> = slots
                .map(|slot| (position_of(slot.entry().key()), slot.entry()))
                .filter(|(position, _)| within.contains(position))
                .collect();
            entries.sort_unstable_by(|(one, a), (other, b)| (one, a.key()).cmp(&(other, b.key())));
            for (position, entry) in entries {
                if writer.is_full(position) {
                    writer.page.next = Some(position);
                    return writer.page;
                }
                let state = entry.seen().to_state();
                writer.push(position, entry.key(), state);
            }
        }
        writer.page
    }

    /// One of two pages of the same partition that begin at the same position and have no key in common.
    pub(crate) fn merge(self, other: Self, limit: PageLimit) -> Self {
        let end = [self.next, other.next].into_iter().flatten().min();
        let mut states: Vec<_> = self.states.into_iter().chain(other.states).collect();
        states.sort_by_cached_key(|(key, _)| (position_of(key), key.clone()));
        let mut writer = StatePageWriter::new(limit);
        writer.page.next = end;
        for (key, state) in states {
            let position = position_of(&key);
            if end.is_some_and(|end| position >= end) {
                break;
            }
            if writer.is_full(position) {
                writer.page.next = Some(position);
                break;
            }
            writer.push(position, &key, state);
        }
        writer.page
    }
}

/// Fills a page in the order of positions.
pub(crate) struct StatePageWriter {
    page: StatePage,
    limit: PageLimit,
    bytes: usize,
    last: Option<u64>,
}

impl StatePageWriter {
    pub(crate) fn new(limit: PageLimit) -> Self {
        Self { page: StatePage::default(), limit, bytes: 0, last: None }
    }

    /// Keys of one position are never torn apart.
    pub(crate) fn is_full(&self, position: u64) -> bool {
        let full = self.page.states.len() >= self.limit.cells_max || self.bytes >= self.limit.bytes_max;
        full && self.last.is_some_and(|last| last != position)
    }

    pub(crate) fn push(&mut self, position: u64, key: &[u8], state: State) {
        self.bytes += key.len() + state.heap_bytes() + 32;
        self.last = Some(position);
        self.page.states.push((Bytes::copy_from_slice(key), state));
    }

    /// There is more, from this position on.
    pub(crate) fn end_at(&mut self, position: u64) {
        self.page.next = Some(position);
    }

    pub(crate) fn finish(self) -> StatePage {
        self.page
    }
}
