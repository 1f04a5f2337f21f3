//! Driver: how far in or out of the ring this machine is.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use ringway_ring::Point;
use tokio::time::Instant;

use crate::chord::enter::Seen;

pub(super) enum Stage {
    /// In no ring, or not with all places.
    Outside {
        ask_at: Instant,
    },
    Asking(BoxFuture<'static, Seen>),
    Inside,
    /// Goes, for good.
    Departing {
        until_left: BTreeSet<Point>,
    },
    Departed {
        emptied: bool,
        check_at: Instant,
    },
}

impl Stage {
    /// When it is time to do something about it, if it is not others who do.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        match self {
            Self::Outside { ask_at } => Some(*ask_at),
            Self::Departed { emptied: true, check_at } => Some(*check_at),
            _ => None,
        }
    }
}

/// What the others have answered. Never ready in another stage. The question stays in the stage, so that nothing is lost when the
/// loop turns to something else meanwhile.
pub(super) async fn asked(stage: &mut Stage) -> Seen {
    match stage {
        Stage::Asking(asking) => asking.await,
        _ => std::future::pending().await,
    }
}
