//! Driver: `/v1/buckets/{}/export` and `/import`: a bucket as lines of JSON, page by page, never more than a page in memory.
//!
//! An export says after each page where it is: who is cut off asks again from there. An import takes some lines at a time and replaces
//! keys as a whole, so doing it twice is doing it once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use ringway_ports::{Existing, KvError, KvRecord};
use ringway_rt::clock;
use tokio::sync::mpsc;

use crate::Error;
use crate::api::kv_line::LINE_BYTES_MAX;
use crate::api::{KvImported, KvLine, RecordLine};
use crate::control::Control;
use crate::reply::{Reply, json, with_body};
use crate::request::Call;
use crate::resources::buckets::known;
use crate::resources::logs::{JSON_LINES, streamed};

/// What one answer of the data tier is about.
const PAGE_BYTES: usize = 1 << 20;
/// Pages that wait for a slow reader.
const PAGES_MAX: usize = 2;
/// A ring that moves or loses a node is back within this.
const TRIES: u32 = 5;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

pub(crate) async fn export(control: Arc<Control>, call: Call) -> Reply {
    let bucket = known(&control.catalog(), call.param(0)?)?.name.clone();
    let cursor: u64 = call.number("cursor")?.unwrap_or(0);
    let permit = control.followers.clone().try_acquire_owned();
    let permit =
        permit.map_err(|_| Error::Unavailable("too many are reading from this node's admin API".to_owned()))?;
    // Whatever is in the way of the first page is an answer of its own.
    let first = control.deps.kv.export(&bucket, cursor, PAGE_BYTES).await?;
    let (pieces, received) = mpsc::channel::<Bytes>(PAGES_MAX);
    let stopping = control.tasks.stopping();
    let exporting = control.clone();
    control.tasks.spawn("bucket export", async move {
        let mut head = Vec::new();
        if cursor == 0 {
            KvLine::head(&bucket, clock::wall_ms()).write(&mut head);
        }
        let export = Export { control: &exporting, bucket: &bucket, pieces: &pieces, keys: 0, out: head };
        tokio::select! {
            () = stopping => {}
            () = pieces.closed() => {}
            () = export.run(first) => {}
        }
        drop(permit);
    });
    Ok(with_body(StatusCode::OK, JSON_LINES, streamed(received)))
}

struct Export<'a> {
    control: &'a Control,
    bucket: &'a str,
    pieces: &'a mpsc::Sender<Bytes>,
    keys: u64,
    out: Vec<u8>,
}

impl Export<'_> {
    /// Ends when nobody reads any more.
    async fn run(mut self, first: ringway_ports::KvRecords) {
        let mut page = first;
        loop {
            self.keys += page.records.len() as u64;
            for record in page.records {
                for line in RecordLine::of(record) {
                    KvLine::Record(line).write(&mut self.out);
                    if self.out.len() >= PAGE_BYTES && !self.send().await {
                        return;
                    }
                }
            }
            let end = match page.cursor {
                0 => KvLine::Done { done: true, keys: self.keys },
                cursor => KvLine::Page { cursor, keys: self.keys },
            };
            end.write(&mut self.out);
            if !self.send().await || page.cursor == 0 {
                return;
            }
            page = match self.next(page.cursor).await {
                Ok(page) => page,
                Err(error) => {
                    KvLine::Failure { error: error.to_string() }.write(&mut self.out);
                    self.send().await;
                    return;
                }
            };
        }
    }

    async fn next(&self, cursor: u64) -> Result<ringway_ports::KvRecords, KvError> {
        let mut tries = 1;
        loop {
            match self.control.deps.kv.export(self.bucket, cursor, PAGE_BYTES).await {
                Err(KvError::Unavailable(_)) if tries < TRIES => tries += 1,
                done => return done,
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }

    async fn send(&mut self) -> bool {
        self.pieces.send(std::mem::take(&mut self.out).into()).await.is_ok()
    }
}

pub(crate) async fn import(control: Arc<Control>, call: Call) -> Reply {
    let bucket = known(&control.catalog(), call.param(0)?)?.name.clone();
    let existing = match call.query("existing")?.as_deref() {
        None | Some("replace") => Existing::Replace,
        Some("keep") => Existing::Keep,
        Some(other) => return Err(Error::BadRequest(format!("`existing` is replace or keep, not `{other}`"))),
    };
    let body = call.body(LINE_BYTES_MAX).await?;
    let records = records(&body)?;
    let count = records.len() as u64;
    let written = control.deps.kv.import(&bucket, records, existing).await?;
    json(&KvImported { records: count, written })
}

/// All of them, or what is wrong with the first that is not one. Lines that are no records are left out.
fn records(body: &[u8]) -> Result<Vec<KvRecord>, Error> {
    let mut records = Vec::new();
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let fault = |error| Error::BadRequest(format!("line {}: {error}", number + 1));
        if let KvLine::Record(line) = KvLine::parse(line).map_err(fault)? {
            records.push(line.record().map_err(fault)?);
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_with_its_line() {
        let body =
            b"{\"key\":\"a\",\"type\":\"string\",\"value\":\"1\"}\n\n{\"cursor\":5,\"keys\":1}\n{\"key\":\"b\"}\n";
        let error = records(body).unwrap_err().to_string();
        assert!(error.starts_with("line 4: "), "{error}");
        let first = body.split(|byte| *byte == b'\n').next().unwrap();
        assert_eq!(records(first).unwrap().len(), 1);
    }
}
