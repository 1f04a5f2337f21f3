//! `ringway kv import`: lines of an export into a bucket, some at a time.
//!
//! Each key is replaced as a whole, so after an interruption all of it can be done again, or the rest with `--from-line`. A value that takes
//! several lines is begun by the first and added to by the others: an import goes on with its first line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use indicatif::ProgressBar;
use ringway_control::api::kv_line::{LINE_BYTES_MAX, VERSION};
use ringway_control::api::{KvImported, KvLine};
use serde_json::json;

use crate::admin_client::{AdminClient, is_worth_retrying, segment};
use crate::cli::ImportArgs;
use crate::output::{self, say};
use crate::progress::{bytes_bar, spinner};

/// Sent at once, unless one line is longer.
const BATCH_BYTES: usize = 1 << 20;
const TRIES: u32 = 5;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
const RDB_MAGIC: &[u8] = b"REDIS0";

pub async fn run(client: &AdminClient, wanted: &ImportArgs, json: bool) -> Result<()> {
    let (input, bar) = open(&wanted.file)?;
    let existing = if wanted.keep { "keep" } else { "replace" };
    let path = format!("/v1/buckets/{}/import?existing={existing}", segment(&wanted.bucket));
    let mut import = Import { client, path, keep: wanted.keep, batch: Batch::default(), done: KvImported::default() };
    let mut lines = Numbered { input, number: 0 };
    let outcome = import.run(&mut lines, wanted.from_line, &bar).await;
    bar.finish_and_clear();
    if let Err(error) = outcome {
        let done = import.done.records;
        if done == 0 {
            return Err(error);
        }
        let (file, bucket, from) = (wanted.file.display(), &wanted.bucket, import.batch.first_line);
        bail!(
            "{error:#}\n  help: {done} lines are in; the same command does all again, `ringway kv import {bucket} {file} --from-line {from}` the rest"
        );
    }
    let KvImported { records, written } = import.done;
    if json {
        return output::print_json(&json!({ "bucket": wanted.bucket, "lines": records, "written": written }));
    }
    let kept = if wanted.keep { " or were there" } else { "" };
    match records - written.min(records) {
        0 => say!("{}: {written} written", wanted.bucket),
        left => say!("{}: {written} written, {left} had expired{kept}", wanted.bucket),
    }
    Ok(())
}

fn open(file: &Path) -> Result<(Box<dyn BufRead>, ProgressBar)> {
    if file == Path::new("-") {
        return Ok((Box::new(BufReader::new(std::io::stdin())), spinner("importing")));
    }
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let bar = bytes_bar("importing", opened.metadata()?.len());
    let bytes = bar.clone();
    Ok((Box::new(BufReader::with_capacity(BATCH_BYTES, bytes.wrap_read(opened))), bar))
}

/// Lines with their numbers, none longer than the API takes.
struct Numbered {
    input: Box<dyn BufRead>,
    number: u64,
}

impl Numbered {
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = self.input.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 && line.starts_with(RDB_MAGIC) {
            bail!(
                "this is a Redis dump (RDB), which is not read: copy the keys with a Redis client from a running Redis, or load what `ringway kv export` has written"
            );
        }
        if line.len() > LINE_BYTES_MAX {
            bail!("line {}: longer than {LINE_BYTES_MAX} bytes", self.number);
        }
        line.truncate(line.trim_ascii_end().len());
        Ok(Some(line))
    }
}

/// Lines that go together.
#[derive(Default)]
struct Batch {
    body: Vec<u8>,
    /// Of the key that comes first in it, or of the one that its first line adds to.
    first_line: u64,
    /// Its first line adds to a key that an earlier batch has begun: sending it twice would add twice.
    continues: bool,
}

struct Import<'a> {
    client: &'a AdminClient,
    path: String,
    keep: bool,
    batch: Batch,
    done: KvImported,
}

impl Import<'_> {
    async fn run(&mut self, lines: &mut Numbered, from_line: u64, bar: &ProgressBar) -> Result<()> {
        let (mut is_export, mut is_whole, mut is_open) = (false, false, false);
        // With --keep, the key whose lines are left out because it is there.
        let mut is_left_out = false;
        let mut key_line = from_line;
        self.batch.first_line = from_line;
        while let Some(line) = lines.next()? {
            let number = lines.number;
            if line.is_empty() || (number < from_line && number > 1) {
                continue;
            }
            let record = match KvLine::parse(&line).map_err(|error| anyhow!("line {number}: {error}"))? {
                KvLine::Record(record) if number >= from_line => record,
                KvLine::Head(head) if head.version > VERSION => {
                    bail!(
                        "this export is of version {}, which this ringway does not know: use a newer one",
                        head.version
                    )
                }
                KvLine::Head(_) => {
                    is_export = true;
                    continue;
                }
                KvLine::Done { .. } => {
                    is_whole = true;
                    continue;
                }
                _ => continue,
            };
            if record.continues && !is_open {
                bail!("line {number}: it adds to a key that the lines before have not begun");
            }
            is_open = record.more;
            if record.continues && is_left_out {
                continue;
            }
            if !record.continues {
                (key_line, is_left_out) = (number, false);
            }
            // A long key is begun by a request of its own if it may have to be left out.
            let begins_alone = self.keep && record.more && !record.continues;
            if begins_alone || self.batch.body.len() + line.len() >= BATCH_BYTES {
                self.send().await?;
            }
            self.add(&line, key_line, record.continues);
            if begins_alone {
                is_left_out = self.send().await? == 0;
            }
            bar.tick();
        }
        if is_open {
            bail!("line {}: the file ends in the middle of a key", lines.number);
        }
        self.send().await?;
        if is_export && !is_whole {
            eprintln!("this file is of an export that was not finished: it has not all keys");
        }
        Ok(())
    }

    fn add(&mut self, line: &[u8], key_line: u64, continues: bool) {
        if self.batch.body.is_empty() {
            (self.batch.first_line, self.batch.continues) = (key_line, continues);
        }
        self.batch.body.extend_from_slice(line);
        self.batch.body.push(b'\n');
    }

    /// How many were written.
    async fn send(&mut self) -> Result<u64> {
        if self.batch.body.is_empty() {
            return Ok(0);
        }
        let mut tries = 1;
        let answer = loop {
            match self.client.post_bytes::<KvImported>(&self.path, self.batch.body.clone()).await {
                Err(error) if tries < TRIES && !self.batch.continues && is_worth_retrying(&error) => tries += 1,
                answer => break answer?,
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        };
        self.batch.body.clear();
        self.done.records += answer.records;
        self.done.written += answer.written;
        Ok(answer.written)
    }
}
