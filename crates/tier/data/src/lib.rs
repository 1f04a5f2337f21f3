//! The data tier: buckets of keys, spread over the ring with replicas, reached with the Redis protocol on any node.
//!
//! The way of a key: [`door`] reads commands, [`command`] says what they are and where their keys are, [`route`] brings each
//! [`unit`] to the acting primary of its partition (the first reachable node that holds it), [`execute`] runs it there on the keys
//! that a [`call`] gives, [`replicate`] brings what was changed to the other replicas before the client is told. [`repair`] and
//! [`transfer`] compare and copy partitions afterwards: when somebody missed writes, came back empty, or gets a part of the ring.
//!
//! The level today is *eventual*: replicas that have come apart are merged (`ringway_values`). While all replicas of a key are
//! reachable its commands run one after another at one node, so counters count and SET NX admits one; when nodes disagree about
//! who is reachable two may execute at once: counters then add up, elements of both stay, of two strings the later one.

pub mod config;
pub mod error;
pub mod founded_ring;
pub mod managed_ring;
pub mod stats;
pub mod tier;

mod bucket;
mod call;
mod change_feed;
mod clock;
mod command;
mod dirty;
mod door;
mod execute;
mod export;
mod fail;
mod fan_out;
mod figures;
mod handover;
mod hot_keys;
mod kv;
mod kv_record;
mod kv_stats;
mod loads;
mod long_message;
mod memcache;
mod message;
mod moving;
mod outbox;
mod peer_door;
mod peer_ring;
mod pubsub;
mod queue_up;
mod quota;
mod repair;
mod replicate;
mod returning;
mod route;
mod scan;
mod scripting;
mod share;
mod sources;
mod sweep;
mod sync_partitions;
mod sync_ranges;
mod transfer;
mod unit;
mod unit_run;
mod view;
mod waiters;

pub use config::Config;
pub use error::Error;
pub use founded_ring::FoundedRing;
pub use managed_ring::ManagedRing;
pub use moving::{Progress, Transfer, TransferState};
pub use tier::DataTier;
