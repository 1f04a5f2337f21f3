//! Core: what a view is made of, and whether that has changed since.

use std::sync::Arc;

use ringway_catalog::Catalog;
use ringway_ring::Holders;
use tokio::sync::watch;

use crate::view::{Reached, View};

#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) catalog: watch::Receiver<Arc<Catalog>>,
    pub(crate) holders: watch::Receiver<Arc<Holders>>,
    pub(crate) reach: watch::Receiver<Reached>,
}

impl Sources {
    /// What they say now; they have not changed until they say something else.
    pub(crate) fn read(&mut self) -> (Arc<Catalog>, Arc<Holders>, Reached) {
        let catalog = self.catalog.borrow_and_update().clone();
        let holders = self.holders.borrow_and_update().clone();
        (catalog, holders, self.reach.borrow_and_update().clone())
    }

    /// The same as they have never been read.
    pub(crate) fn unread(&self) -> Self {
        let mut unread = self.clone();
        unread.catalog.mark_changed();
        unread.holders.mark_changed();
        unread.reach.mark_changed();
        unread
    }

    /// Whether `view`, made of what was read last, is not what they say now. Asked for every few commands on every core: nothing is
    /// written to memory, unless a source has ended with the node.
    pub(crate) fn have_changed(&self, view: &View) -> bool {
        let by_version = [self.catalog.has_changed(), self.holders.has_changed(), self.reach.has_changed()];
        if let [Ok(catalog), Ok(holders), Ok(reach)] = by_version {
            return catalog || holders || reach;
        }
        !(Arc::ptr_eq(&view.holders, &self.holders.borrow())
            && Arc::ptr_eq(&view.reach, &self.reach.borrow())
            && Arc::ptr_eq(&view.catalog, &self.catalog.borrow()))
    }
}
