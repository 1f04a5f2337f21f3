//! Local storage of one node: what a replica holds of each bucket, in memory with a byte limit or on disk.
//!
//! A [`Store`] is one bucket's cells on this node, in the ring's 4096 partitions. Each partition has a lock, a digest for
//! comparing it with other replicas, and an order of keys that is the same on every node, so that walks can be resumed
//! anywhere. It knows nothing of other nodes: what is written, and which of two cells wins, is decided above
//! (`ringway_replication`).
//!
//! There is unsafe code, for memory layout and prefetching: `entry.rs` and the few places that free entries.

mod account;
mod backing;
pub mod bucket_store;
pub mod cell_code;
pub mod disk;
pub mod disk_store;
mod due;
mod entry;
pub mod error;
mod fifo;
mod ghost;
mod handle;
mod line;
mod locked;
pub mod memory;
mod node_index;
pub mod page;
mod range_digests;
mod readers;
mod register_ref;
mod s3_fifo;
mod shard;
mod slot;
mod state_page;
pub mod store;
mod stored_code;
pub mod sync_queue;
mod table;
pub mod tally;
mod tracks;
pub mod wal;

pub use bucket_store::BucketStore;
pub use disk::Disk;
pub use disk_store::DiskStore;
pub use entry::{KEY_LEN_MAX, SHARED_LEN_MIN};
pub use error::Error;
pub use locked::Locked;
pub use memory::MemoryStore;
pub use page::{Page, PageLimit, position_of};
pub use register_ref::{RegisterRef, Seen, Stored, Value};
pub use state_page::StatePage;
pub use store::Store;
pub use tally::{Swept, Usage, Uses};

#[cfg(test)]
mod testing;
