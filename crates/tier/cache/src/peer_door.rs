//! Driver: what other nodes' cache tiers ask of this one.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_ports::{PeerHandler, Purge};
use ringway_ring::NodeId;

use crate::Error;
use crate::message::{Ask, Reply, decode, encode};
use crate::purging;
use crate::tier::Inner;

// Weak: the tier owns the peers, which own this.
pub(crate) struct CacheDoor(pub(crate) Weak<Inner>);

impl PeerHandler for CacheDoor {
    fn handle(&self, from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let inner = self.0.upgrade();
        async move {
            let answered = async { answer(&inner.ok_or(Error::Stopped)?, from, decode(&body)?).await };
            answered.await.map(|reply| encode(&reply)).map_err(|error: Error| error.to_string())
        }
        .boxed()
    }
}

async fn answer(inner: &Arc<Inner>, from: NodeId, ask: Ask) -> Result<Reply, Error> {
    Ok(match ask {
        Ask::Forget { purge, at } => Reply::Forgot(purging::told(inner, from, &purge, at)),
        Ask::Changed(places) => {
            let forget = |(host, target)| inner.forget(&Purge::Url { tls: None, host, target });
            Reply::Forgot(places.into_iter().map(forget).sum())
        }
        Ask::Since(known) => {
            let purges = inner.purges();
            Reply::Purges { purges: purges.log.since(known), at: purges.log.at() }
        }
        Ask::Said(at) => {
            if inner.purges().heard.of(from) != Some(at) {
                purging::catch_up(inner, from).await;
            }
            match inner.purges().heard.of(from) == Some(at) {
                true => Reply::Heard,
                false => return Err(Error::Behind),
            }
        }
    })
}
