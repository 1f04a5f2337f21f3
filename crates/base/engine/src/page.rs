//! Core: walking the keys of a partition in pieces, in an order that is the same on every node.
//!
//! The order is by [`position_of`]: a hash, so it does not depend on what else is there, and a walk that goes on at another
//! replica neither misses nor repeats keys that were there all the time.

use bytes::Bytes;
use ringway_replication::Cell;
use xxhash_rust::xxh3::xxh3_64;

/// Positions have this many bits, so that one fits into a SCAN cursor next to a partition.
pub const POSITION_BITS: u32 = 48;

/// Where a key comes in its partition.
pub fn position_of(key: &[u8]) -> u64 {
    xxh3_64(key) >> (64 - POSITION_BITS)
}

/// Some cells of a partition, by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub cells: Vec<(Bytes, Cell)>,
    /// Where the next page begins; `None` at the end of the partition.
    pub next: Option<u64>,
}

/// How much fits into a page. A page has at least one cell if there is one, and keys of one position are never torn apart.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    pub cells_max: usize,
    pub bytes_max: usize,
}

/// Fills a page with cells that come in the order of their positions.
#[derive(Debug)]
pub(crate) struct PageWriter {
    page: Page,
    limit: PageLimit,
    bytes: usize,
    last: Option<u64>,
}

impl PageWriter {
    pub(crate) fn new(limit: PageLimit) -> Self {
        Self { page: Page::default(), limit, bytes: 0, last: None }
    }

    /// Whether `cell` was taken; if not the page is full and ends before it.
    pub(crate) fn push(&mut self, position: u64, key: &[u8], cell: impl FnOnce() -> Cell) -> bool {
        let full = self.page.cells.len() >= self.limit.cells_max || self.bytes >= self.limit.bytes_max;
        if full && self.last.is_some_and(|last| last != position) {
            self.page.next = Some(position);
            return false;
        }
        let cell = cell();
        self.bytes += key.len() + cell.value.as_ref().map_or(0, Bytes::len) + 32;
        self.last = Some(position);
        self.page.cells.push((Bytes::copy_from_slice(key), cell));
        true
    }

    pub(crate) fn finish(self) -> Page {
        self.page
    }
}
