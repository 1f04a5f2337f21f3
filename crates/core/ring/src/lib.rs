//! Core: the ring. Identifiers, slots, partitions and who holds them; no I/O, no clock.
//!
//! A key falls on a [`Point`] of a 64-bit circle. The first 14 bits are its Redis Cluster hash slot, the first 12 its
//! [`Partition`]; a [`Layout`] says for every partition which nodes keep it, the primary first. So the ring is one that a
//! cluster-aware Redis client can address directly, and ownership is a table that the consensus group agrees on.

pub mod chord;
pub mod circle;
pub mod finger_table;
pub mod finger_union;
pub mod holders;
pub mod key_index;
pub mod layout;
pub mod lookup;
pub mod neighbours;
pub mod node_id;
pub mod node_table;
pub mod partition_set;
pub mod placement;
pub mod point;
pub mod router;
pub mod virtual_node;

pub use finger_table::{Base, FingerShape, FingerTable};
pub use finger_union::FingerUnion;
pub use holders::{Holders, Row};
pub use key_index::{KeyDirectory, KeyIndex};
pub use layout::{Layout, Member};
pub use lookup::{Action, Found, Limits, Lookup, Why};
pub use neighbours::Neighbours;
pub use node_id::NodeId;
pub use node_table::NodeTable;
pub use partition_set::PartitionSet;
pub use placement::{Placement, PlacementKind};
pub use point::{PARTITION_COUNT, Partition, Point, SLOT_COUNT, Slot, partition_of, point_of, slot_of};
pub use router::{Next, Peer, Peers, Router, Step, Verdict, Via};
pub use virtual_node::VirtualNode;
