//! Driver: requests whose answers are at hand: found, written, counted. All of it happens while the bytes of the request are still
//! where they were read.

use std::sync::atomic::Ordering;
use std::time::Instant;

use http::{HeaderName, Response, StatusCode, header};
use http_body::Body as _;
use ringway_ports::Body;
use ringway_protocol::http1::{RequestHead, write_status_line};
use ringway_rt::clock::wall_ms;
use tracing::Level;

use super::thread_scratch::{Scratch, with_scratch, write_hex};
use crate::connection_state::ConnectionState;
use crate::exchange::TraceId;
use crate::headers::X_REQUEST_ID;
use crate::hot::{HotAnswer, Keepable, write_key};
use crate::outbox::Outbox;
use crate::worker::Worker;

/// Bodies up to this size are copied behind their head.
const COPIED_MAX: usize = 16 << 10;

pub enum Hot {
    /// It is in the outbox.
    Answered,
    /// Not at hand. With a key and the version of the routes if it has been asked for before: its answer is worth keeping.
    Unknown(Option<(u64, Box<[u8]>)>),
    /// It is to be answered in the usual way, which tells all that is done for it.
    Traced(TraceId),
}

/// `head` is plain.
pub fn answer(
    scratch: &mut Scratch,
    head: &RequestHead<'_>,
    state: &ConnectionState,
    worker: &Worker,
    out: &mut Outbox,
) -> Hot {
    let is_usual = state.peer.is_none() && !state.surplus && !tracing::enabled!(Level::DEBUG);
    if !is_usual || head.target[0] != b'/' || worker.stop.is_cancelled() {
        return Hot::Unknown(None);
    }
    let (began, wall_ms) = (Instant::now(), wall_ms());
    let cache = worker.shared.cache.as_ref();
    let now_ms = cache.map_or(wall_ms, |cache| cache.now_ms());
    if worker.shared.telemetry.wants_spans() {
        let trace = TraceId::next(scratch);
        if worker.shared.telemetry.samples(trace.0) {
            return Hot::Traced(trace);
        }
    }
    let id = scratch.next_id();
    let version = worker.shared.routes_version.load(Ordering::Acquire);
    scratch.hot.follow(version);
    write_key(&mut scratch.hot_key, state.tls, head.host.unwrap_or_default(), head.target, head.accept_encoding);
    let hash = scratch.hot.hash(&scratch.hot_key);
    if !out.has_buffer() {
        out.lend(scratch.buffer());
    }
    let date = *scratch.date(wall_ms);
    let Some(found) = scratch.hot.find(hash, &scratch.hot_key, now_ms) else {
        let was_seen = scratch.hot.was_seen(hash);
        return Hot::Unknown(was_seen.then(|| (version, scratch.hot_key.as_slice().into())));
    };
    write(found, id, &date, now_ms, out);
    if let (Some(stored), Some(cache)) = (&found.stored, cache) {
        cache.note_hits(stored, 1);
    }
    found.meters.request(StatusCode::OK, began.elapsed());
    worker.shared.requests.fetch_add(1, Ordering::Relaxed);
    Hot::Answered
}

fn write(found: &HotAnswer, id: u64, date: &[u8; 29], now_ms: u64, out: &mut Outbox) {
    let buffer = out.buffer();
    let mut digits = [0; 16];
    write_hex(id, &mut digits);
    for part in [&*found.head, b"x-request-id: ", &digits, b"\r\ndate: ", date, b"\r\n"] {
        buffer.extend_from_slice(part);
    }
    if let Some(stored) = &found.stored {
        let age = http::HeaderValue::from(stored.age(now_ms).as_secs());
        for part in [b"age: ", age.as_bytes(), b"\r\ncache-status: ringway; hit\r\n"] {
            buffer.extend_from_slice(part);
        }
    }
    buffer.extend_from_slice(b"\r\n");
    if found.body.len() <= COPIED_MAX {
        buffer.extend_from_slice(&found.body);
    } else {
        out.push(found.body.clone(), b"");
    }
}

/// Keeps an answer at hand if it may be.
pub fn keep(version: u64, key: Box<[u8]>, response: &Response<Body>, worker: &Worker) {
    let Some(Keepable { body, stored, app }) = response.extensions().get::<Keepable>() else { return };
    // It is the whole body, and all of it is what was said.
    if response.status() != StatusCode::OK || response.body().size_hint().exact() != Some(body.len() as u64) {
        return;
    }
    let mut head = Vec::with_capacity(256);
    write_status_line(&mut head, response.status());
    for (name, value) in response.headers().iter().filter(|(name, _)| !differs(name)) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    let length = http::HeaderValue::from(body.len());
    for part in [b"content-length: ", length.as_bytes(), b"\r\n"] {
        head.extend_from_slice(part);
    }
    let meters = worker.meters.app(Some(app));
    let answer = HotAnswer { head: head.into(), body: body.clone(), stored: stored.clone(), meters };
    with_scratch(|scratch| scratch.hot.insert(version, key, answer));
}

/// Fields that are written anew for each answer.
fn differs(name: &HeaderName) -> bool {
    [header::AGE, header::CONTENT_LENGTH, header::CONNECTION, X_REQUEST_ID].contains(name) || name == "cache-status"
}
