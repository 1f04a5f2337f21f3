//! Local storage of one node: what a replica holds of each bucket, in memory with a byte limit or on disk.
//!
//! A [`Store`] is one bucket's cells on this node, in the ring's 4096 partitions. Each partition has a lock, a digest for
//! comparing it with other replicas, and an order of keys that is the same on every node, so that walks can be resumed
//! anywhere. It knows nothing of other nodes: what is written, and which of two cells wins, is decided above
//! (`ringway_replication`).

pub mod cell_code;
pub mod disk;
pub mod disk_store;
pub mod error;
pub mod memory;
pub mod page;
pub mod store;
pub mod sync_queue;
pub mod tally;

pub use disk::Disk;
pub use disk_store::DiskStore;
pub use error::Error;
pub use memory::MemoryStore;
pub use page::{Page, position_of};
pub use store::Store;
pub use tally::{Swept, Usage};
