//! Core: a client's bucket as it was in the view that was last asked: looked up once per view.

use std::sync::Arc;

use crate::bucket::Bucket;
use crate::view::View;

#[derive(Debug, Default)]
pub(super) struct Seen(Option<(Arc<View>, Arc<Bucket>)>);

impl Seen {
    /// The bucket of that name, if it is open on this node.
    pub(super) fn bucket(&mut self, view: &Arc<View>, name: &str) -> Option<&Arc<Bucket>> {
        if self.0.as_ref().is_none_or(|(seen, _)| !Arc::ptr_eq(seen, view)) {
            self.0 = Some((view.clone(), view.buckets.get(name)?.clone()));
        }
        self.0.as_ref().map(|(_, bucket)| bucket)
    }

    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}
