//! Core: the ring. Identifiers, slots, partitions and who holds them; no I/O, no clock.
//!
//! A key falls on a [`Point`] of a 64-bit circle. The first 14 bits are its Redis Cluster hash slot, the first 12 its
//! [`Partition`]; a [`Layout`] says for every partition which nodes keep it, the primary first. So the ring is one that a
//! cluster-aware Redis client can address directly, and ownership is a table that the consensus group agrees on.

pub mod layout;
pub mod node_id;
pub mod point;

pub use layout::{Layout, Member};
pub use node_id::NodeId;
pub use point::{PARTITION_COUNT, Partition, Point, SLOT_COUNT, Slot, partition_of, point_of, slot_of};
