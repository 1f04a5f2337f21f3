//! Port: who holds which partition, and saying that this node has got what it was to get.
//!
//! All that the data tier knows of placement. Two implementations: the managed ring, where the agreed catalog decides, and a
//! Chord ring, where neighbours do.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ringway_ring::{Holders, PartitionSet};
use tokio::sync::watch;

use crate::Ring;

pub trait Placement: Send + Sync {
    /// Sees every change (the latest; those in between may be skipped). May lag behind other nodes; its epoch never goes back.
    fn watch(&self) -> watch::Receiver<Arc<Holders>>;

    /// This node has, of these partitions, whatever those who answer had in `epoch`, and has got every write since. They may
    /// hand over when all who are to come have said so. `Err`: could not be told, to be said again.
    fn note_synced(&self, epoch: u64, partitions: PartitionSet) -> BoxFuture<'static, Result<(), String>>;

    /// The ring behind it, if nobody agrees on the holders: then some are not known until they are looked up, and none is told of
    /// its part by others.
    fn peer_ring(&self) -> Option<Arc<dyn Ring>> {
        None
    }
}
