//! Local storage of one node: what a replica holds of each bucket, in memory with a byte limit or on disk.
//!
//! A [`BucketStore`] is what one bucket holds on this node, in the ring's 4096 partitions. Each partition has a digest for comparing
//! it with other replicas, and an order of keys that is the same on every node, so that walks can be resumed anywhere. It knows
//! nothing of other nodes: what two states of a key come to is `ringway_values`' to say. On disk, a write-ahead log
//! ([`wal`]) for all buckets stands in front of one database, and memory is its cache ([`disk`]).
//!
//! There is unsafe code, for memory layout and prefetching: `entry.rs` and the few places that free entries.

mod account;
mod backing;
pub mod bucket_store;
pub mod disk;
mod due;
mod entry;
pub mod error;
mod fifo;
mod ghost;
mod handle;
mod line;
mod locked;
mod node_index;
pub mod page;
mod range_digests;
mod readers;
mod register_ref;
mod s3_fifo;
mod shard;
mod slot;
mod state_page;
mod stored_code;
mod table;
pub mod tally;
mod tracks;
pub mod wal;

pub use bucket_store::BucketStore;
pub use disk::Disk;
pub use entry::{KEY_LEN_MAX, SHARED_LEN_MIN};
pub use error::Error;
pub use locked::Locked;
pub use page::{PageLimit, position_of};
pub use register_ref::{RegisterRef, Seen, Stored, Value};
pub use state_page::StatePage;
pub use tally::{Swept, Usage, Uses};

#[cfg(test)]
mod testing;
