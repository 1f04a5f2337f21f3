//! Core: who a client is.

use std::sync::Arc;

use super::Access;
use crate::DataTier;
use crate::bucket::{Bucket, Guest};
use crate::door::accept::Opened;
use crate::door::calm::Calm;
use crate::door::seen::Seen;
use crate::fail::Fail;
use crate::view::View;

#[derive(Debug)]
pub(in crate::door) struct Session {
    access: Access,
    /// `None` until the client has said who it is.
    guest: Option<(Arc<str>, Guest)>,
    seen: Seen,
    calm: Calm,
    /// Counts it as long as it is there.
    _opened: Arc<Opened>,
}

impl Session {
    pub(super) fn new(opened: Arc<Opened>, access: Access) -> Self {
        Self { access, guest: None, seen: Seen::default(), calm: Calm::default(), _opened: opened }
    }

    /// At a bucket's own door nobody has to say who it is.
    pub(super) async fn begin(&mut self, tier: &Arc<DataTier>) -> Result<(), Fail> {
        match self.access.clone() {
            Access::Bucket(name) if self.guest.is_none() => self.enter(tier, &name).await,
            _ => Ok(()),
        }
    }

    /// Counted as a client of the bucket from now on.
    pub(super) async fn enter(&mut self, tier: &Arc<DataTier>, bucket: &Arc<str>) -> Result<(), Fail> {
        let (_, open) = tier.bucket(bucket).await?;
        self.guest = Some((bucket.clone(), open.admit_client()?));
        Ok(())
    }

    /// Its name.
    pub(super) fn bucket(&self) -> Option<&Arc<str>> {
        self.guest.as_ref().map(|(bucket, _)| bucket)
    }

    pub(in crate::door) fn bucket_in(&mut self, view: &Arc<View>) -> Option<&Arc<Bucket>> {
        let (name, _) = self.guest.as_ref()?;
        self.seen.bucket(view, name)
    }

    /// How it has asked lately.
    pub(in crate::door) fn calm(&mut self) -> &mut Calm {
        &mut self.calm
    }
}
