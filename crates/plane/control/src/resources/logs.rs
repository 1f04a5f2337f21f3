//! Driver: an app's log lines from all nodes: the last ones, or all that come from now on.
//!
//! Following polls every node twice a second with a cursor for each. That is late by half a second at most, needs no
//! subscription that a lost node would leave behind, and never loses a line without saying so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use ringway_catalog::Catalog;
use ringway_ports::{Body, BodyError, LogLine, LogStream};
use ringway_ring::NodeId;
use ringway_rt::clock;
use tokio::sync::mpsc;

use crate::Error;
use crate::api::{LogEntry, Logs};
use crate::cluster::Answer;
use crate::control::Control;
use crate::peer_messages::{Ask, Cursor, LINES_MAX, TailPart};
use crate::reply::{Reply, json, with_body};
use crate::request::Call;

const LINES_DEFAULT: usize = 100;
const FOLLOW_LINES_DEFAULT: usize = 10;
const POLL_EVERY: Duration = Duration::from_millis(500);
/// Polls without a line before an empty one is sent, so that a follower who is gone is noticed.
const SILENT_POLLS_MAX: u32 = 20;
/// Pieces that wait for a slow follower; then the polling waits too.
const PIECES_MAX: usize = 4;
pub(crate) const JSON_LINES: &str = "application/x-ndjson";

pub(crate) async fn recent(control: Arc<Control>, call: Call) -> Reply {
    let app = call.required("app")?;
    let lines = call.number("lines")?.unwrap_or(LINES_DEFAULT).min(LINES_MAX);
    let catalog = known_app(&control, &app)?;
    let answers = control.cluster.ask_all::<Vec<LogLine>>(&catalog, |_| Ask::Logs { app: app.clone(), lines }).await;
    let unreachable =
        answers.iter().filter(|answer| answer.result.is_err()).map(|answer| answer.node.clone()).collect();
    let mut merged: Vec<LogEntry> =
        answers.into_iter().flat_map(|answer| entries(answer.node.name, answer.result.unwrap_or_default())).collect();
    merged.sort_by_key(|entry| entry.line.at_ms);
    merged.drain(..merged.len().saturating_sub(lines));
    json(&Logs { lines: merged, unreachable })
}

pub(crate) async fn follow(control: Arc<Control>, call: Call) -> Reply {
    let app = call.required("app")?;
    let lines = call.number("lines")?.unwrap_or(FOLLOW_LINES_DEFAULT).min(LINES_MAX);
    known_app(&control, &app)?;
    let permit = control.followers.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Error::Unavailable("too many logs are being followed on this node".to_owned()))?;
    let (pieces, received) = mpsc::channel::<Bytes>(PIECES_MAX);
    let (follower, stopping) =
        (Follower { control: control.clone(), app, lines, cursors: BTreeMap::new() }, control.tasks.stopping());
    control.tasks.spawn("log follower", async move {
        tokio::select! {
            () = stopping => {}
            () = pieces.closed() => {}
            () = follower.run(&pieces) => {}
        }
        drop(permit);
    });
    Ok(with_body(StatusCode::OK, JSON_LINES, streamed(received)))
}

struct Follower {
    control: Arc<Control>,
    app: String,
    /// Of each node, when it is first heard of.
    lines: usize,
    cursors: BTreeMap<NodeId, Cursor>,
}

impl Follower {
    /// Ends when nobody reads any more.
    async fn run(mut self, pieces: &mpsc::Sender<Bytes>) {
        let mut every = tokio::time::interval(POLL_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut silent_polls = 0;
        loop {
            every.tick().await;
            let piece = self.poll().await;
            silent_polls = if piece.is_empty() { silent_polls + 1 } else { 0 };
            let piece = if silent_polls == SILENT_POLLS_MAX { b"\n".to_vec() } else { piece };
            if piece.is_empty() {
                continue;
            }
            silent_polls = 0;
            if pieces.send(piece.into()).await.is_err() {
                return;
            }
        }
    }

    /// What came since the last poll, as JSON lines.
    async fn poll(&mut self) -> Vec<u8> {
        let catalog = self.control.catalog();
        let ask =
            |node| Ask::Tail { app: self.app.clone(), after: self.cursors.get(&node).copied(), lines: self.lines };
        let answers = self.control.cluster.ask_all::<TailPart>(&catalog, ask).await;
        let mut merged = Vec::new();
        for Answer { node, result } in answers {
            let Ok(part) = result else { continue };
            self.cursors.insert(node.id, part.cursor);
            merged.extend((part.lost > 0).then(|| self.lost(&node.name, part.lost)));
            merged.extend(entries(node.name, part.lines));
        }
        merged.sort_by_key(|entry| entry.line.at_ms);
        let mut piece = Vec::new();
        for entry in merged {
            // These types always have a JSON form, and writing into memory cannot fail.
            let _ = serde_json::to_writer(&mut piece, &entry);
            piece.push(b'\n');
        }
        piece
    }

    fn lost(&self, node: &str, lines: u64) -> LogEntry {
        let line = LogLine {
            at_ms: clock::wall_ms(),
            app: self.app.clone(),
            unit: String::new(),
            instance: String::new(),
            stream: LogStream::Platform,
            text: format!("{lines} lines of this node came too fast and are missing here"),
        };
        LogEntry { node: node.to_owned(), line }
    }
}

fn known_app(control: &Control, app: &str) -> Result<Arc<Catalog>, Error> {
    let catalog = control.catalog();
    if catalog.apps.contains_key(app) { Ok(catalog) } else { Err(Error::NotFound(format!("there is no app {app}"))) }
}

fn entries(node: String, lines: Vec<LogLine>) -> impl Iterator<Item = LogEntry> {
    lines.into_iter().map(move |line| LogEntry { node: node.clone(), line })
}

pub(crate) fn streamed(received: mpsc::Receiver<Bytes>) -> Body {
    let frames = futures_util::stream::unfold(received, |mut received| async move {
        let piece = received.recv().await?;
        Some((Ok::<_, BodyError>(Frame::data(piece)), received))
    });
    StreamBody::new(frames).boxed_unsync()
}
