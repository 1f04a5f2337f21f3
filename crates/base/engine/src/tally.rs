//! Core: the figures of a bucket on this node.

/// What a bucket takes on this node. Keys that have expired but are not swept yet count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub keys: u64,
    pub bytes: u64,
}

/// What was done with the keys of a bucket on this node, since it was opened. Whoever runs commands counts them; evictions count
/// themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    pub commands: u64,
    /// Reads that found something, and that did not.
    pub hits: u64,
    pub misses: u64,
    pub evicted: u64,
}

impl std::ops::AddAssign for Uses {
    fn add_assign(&mut self, more: Self) {
        self.commands += more.commands;
        self.hits += more.hits;
        self.misses += more.misses;
        self.evicted += more.evicted;
    }
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub expired: u64,
    pub forgotten: u64,
}
