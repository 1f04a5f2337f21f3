//! Driver: `GET /v1/ring/watch`: the ring as it changes, as JSON lines, until the caller goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::mpsc;

use crate::Error;
use crate::api::RingFrame;
use crate::control::Control;
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, with_body};
use crate::request::Call;
use crate::resources::logs::streamed;
use crate::resources::{ring, status};

const POLL_EVERY: Duration = Duration::from_millis(500);
const PIECES_MAX: usize = 4;

pub(crate) async fn follow(control: Arc<Control>, _call: Call) -> Reply {
    let permit = control.followers.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Error::Unavailable("too many are watching on this node".to_owned()))?;
    let (pieces, received) = mpsc::channel::<Bytes>(PIECES_MAX);
    let stopping = control.tasks.stopping();
    let watched = control.clone();
    control.tasks.spawn("ring watch", async move {
        tokio::select! {
            () = stopping => {}
            () = pieces.closed() => {}
            () = run(&watched, &pieces) => {}
        }
        drop(permit);
    });
    Ok(with_body(StatusCode::OK, "application/x-ndjson", streamed(received)))
}

/// Ends when nobody reads any more. Every frame says it all but the arcs, which are many: these only when they have changed.
async fn run(control: &Control, pieces: &mpsc::Sender<Bytes>) {
    let mut every = tokio::time::interval(POLL_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        every.tick().await;
        let frame = frame(control, known).await;
        known = frame.ring.as_ref().map_or(known, |ring| Some(ring.version));
        let Ok(mut line) = serde_json::to_vec(&frame) else { return };
        line.push(b'\n');
        if pieces.send(line.into()).await.is_err() {
            return;
        }
    }
}

async fn frame(control: &Control, known: Option<u64>) -> RingFrame {
    let catalog = control.catalog();
    let reports = status::reports(control.cluster.ask_all::<Report>(&catalog, |_| Ask::Report).await);
    let ring = ring::view(control, &catalog, &reports);
    RingFrame {
        status: status::view(control, &catalog, &reports),
        transfers: ring.transfers.clone(),
        ring: (known != Some(ring.version)).then_some(ring),
    }
}
