//! `ringway kv export`: a bucket into a file or a pipe. Never more than a line in memory; the file has its name when all is there.
//!
//! After each page comes a line that says where the next one begins. When the connection breaks, the file is cut back to the last of these
//! lines and the export goes on there; `--resume` does the same with the file of an export that was killed.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use ringway_control::api::{BucketInfo, KvLine};
use serde_json::json;

use crate::admin_client::{AdminClient, segment};
use crate::cli::ExportArgs;
use crate::output::{self, say};
use crate::progress::{spinner, steps_bar};

const TRIES: u32 = 5;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Longer lines than the API makes do not end a file that can be resumed.
const LAST_LINE_MAX: u64 = 4096;

pub async fn run(client: &AdminClient, wanted: &ExportArgs, json: bool) -> Result<()> {
    let info: BucketInfo = client.get(&format!("/v1/buckets/{}/info", segment(&wanted.bucket))).await?;
    let bar = info.keys.map_or_else(|| spinner("exporting"), |keys| steps_bar("exporting", keys));
    match &wanted.output {
        None => {
            let mut out = Out::Pipe(BufWriter::new(std::io::stdout()));
            Export { client, bucket: &wanted.bucket, bar: &bar, keys: 0 }.run(&mut out, 0).await?;
            bar.finish_and_clear();
            Ok(())
        }
        Some(path) => to_file(client, wanted, path, &bar, json).await,
    }
}

async fn to_file(client: &AdminClient, wanted: &ExportArgs, path: &Path, bar: &ProgressBar, json: bool) -> Result<()> {
    let part = PathBuf::from(format!("{}.part", path.display()));
    if path.exists() && !wanted.force {
        bail!("{} is there already: --force replaces it", path.display());
    }
    let (file, cursor, keys) = match (part.exists(), wanted.resume, wanted.force) {
        (true, true, _) => resumed(&part)?,
        (true, false, false) => {
            bail!(
                "{} is what an interrupted export has left: --resume goes on with it, --force begins anew",
                part.display()
            )
        }
        _ => (File::create(&part).with_context(|| format!("cannot write {}", part.display()))?, 0, 0),
    };
    let mut out = Out::File { whole: file.metadata()?.len(), file: BufWriter::new(file) };
    let export = Export { client, bucket: &wanted.bucket, bar, keys };
    let keys = export.run(&mut out, cursor).await.with_context(|| {
        format!("{} has what there is so far; the same command with --resume goes on", part.display())
    })?;
    out.close()?;
    std::fs::rename(&part, path).with_context(|| format!("cannot rename {}", part.display()))?;
    bar.finish_and_clear();
    let bytes = std::fs::metadata(path)?.len();
    if json {
        return output::print_json(&json!({ "file": path, "keys": keys, "bytes": bytes }));
    }
    let what = if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") };
    say!("{}: {what} in {} ({})", wanted.bucket, path.display(), output::bytes(bytes));
    Ok(())
}

/// Where lines go.
enum Out {
    Pipe(BufWriter<std::io::Stdout>),
    File {
        file: BufWriter<File>,
        /// Up to here there are whole pages.
        whole: u64,
    },
}

impl Out {
    fn write(&mut self, line: &[u8]) -> Result<()> {
        let out: &mut dyn Write = match self {
            Self::Pipe(pipe) => pipe,
            Self::File { file, .. } => file,
        };
        match out.write_all(line).and_then(|()| out.write_all(b"\n")) {
            // Whoever has read enough has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            done => done.context("cannot write what was exported"),
        }
    }

    /// A page is whole.
    fn page(&mut self) -> Result<()> {
        match self {
            Self::Pipe(pipe) => pipe.flush()?,
            Self::File { file, whole } => *whole = file.stream_position()?,
        }
        Ok(())
    }

    /// Back to the last whole page. Whether that can be done.
    fn cut_back(&mut self) -> Result<bool> {
        let Self::File { file, whole } = self else { return Ok(false) };
        file.seek(SeekFrom::Start(*whole))?;
        file.get_ref().set_len(*whole)?;
        Ok(true)
    }

    fn close(self) -> Result<()> {
        if let Self::File { file, .. } = self {
            file.into_inner()?.sync_all()?;
        }
        Ok(())
    }
}

struct Export<'a> {
    client: &'a AdminClient,
    bucket: &'a str,
    bar: &'a ProgressBar,
    /// In whole pages.
    keys: u64,
}

impl Export<'_> {
    async fn run(mut self, out: &mut Out, mut cursor: u64) -> Result<u64> {
        let mut tries = 1;
        loop {
            let before = cursor;
            match self.pages(out, &mut cursor).await {
                Ok(()) => return Ok(self.keys),
                Err(error) if tries < TRIES && out.cut_back()? => {
                    tries = if cursor == before { tries + 1 } else { 1 };
                    self.bar.println(format!("{error:#}; trying again"));
                    self.bar.set_position(self.keys);
                    tokio::time::sleep(TRY_AGAIN_AFTER).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Until the end, or the connection's. `cursor` is moved past each whole page.
    async fn pages(&mut self, out: &mut Out, cursor: &mut u64) -> Result<()> {
        let path = format!("/v1/buckets/{}/export?cursor={cursor}", segment(self.bucket));
        let mut lines = self.client.lines(&path).await?;
        let done_before = self.keys;
        while let Some(line) = lines.next_bytes().await? {
            if line.is_empty() {
                continue;
            }
            match KvLine::parse(&line)? {
                KvLine::Failure { error } => bail!(error),
                KvLine::Page { cursor: next, keys } => {
                    self.keys = done_before + keys;
                    // With the sum of all, so that what is resumed goes on counting.
                    self.end_line(out, &KvLine::Page { cursor: next, keys: self.keys })?;
                    *cursor = next;
                }
                KvLine::Done { keys, .. } => {
                    self.keys = done_before + keys;
                    return self.end_line(out, &KvLine::Done { done: true, keys: self.keys });
                }
                KvLine::Record(record) => {
                    out.write(&line)?;
                    self.bar.inc(u64::from(!record.continues));
                }
                KvLine::Head(_) => out.write(&line)?,
            }
        }
        bail!("the node ended the export early")
    }

    fn end_line(&self, out: &mut Out, line: &KvLine) -> Result<()> {
        out.write(&serde_json::to_vec(line)?)?;
        out.page()
    }
}

/// The file of an export that was interrupted, cut back to its last whole page; where that is, and the keys so far.
fn resumed(part: &Path) -> Result<(File, u64, u64)> {
    let mut file = OpenOptions::new().read(true).write(true).open(part)?;
    let (end, cursor, keys) = last_page(&mut file)?.unwrap_or((0, 0, 0));
    file.set_len(end)?;
    file.seek(SeekFrom::End(0))?;
    Ok((file, cursor, keys))
}

/// The end of the last line that ends a page, its cursor and its count. Read backwards, a block at a time.
fn last_page(file: &mut File) -> Result<Option<(u64, u64, u64)>> {
    const BLOCK: u64 = 1 << 20;
    let mut end = file.metadata()?.len();
    while end > 0 {
        // A line that lies across two blocks is in the overlap.
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        if let Some((at, cursor, keys)) = last_page_in(&block) {
            return Ok(Some((start + at, cursor, keys)));
        }
        end = if start == 0 { 0 } else { start + LAST_LINE_MAX.min(BLOCK / 2) };
    }
    Ok(None)
}

fn last_page_in(block: &[u8]) -> Option<(u64, u64, u64)> {
    let mut end = block.iter().rposition(|byte| *byte == b'\n')?;
    loop {
        let start = block[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
        if let Ok(KvLine::Page { cursor, keys }) = KvLine::parse(&block[start..end]) {
            return Some((end as u64 + 1, cursor, keys));
        }
        end = start.checked_sub(1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_interrupted_goes_on_after_its_last_whole_page() {
        let path = std::env::temp_dir().join(format!("ringway-export-{}", std::process::id()));
        let record = format!("{{\"key\":\"k\",\"type\":\"string\",\"value\":\"{}\"}}\n", "x".repeat(700_000));
        let whole = format!("{record}{record}{{\"cursor\":77,\"keys\":2}}\n");
        for after in ["", &record[..5], &record, &record.repeat(4)] {
            std::fs::write(&path, format!("{whole}{after}")).unwrap();
            let (file, cursor, keys) = resumed(&path).unwrap();
            assert_eq!((file.metadata().unwrap().len(), cursor, keys), (whole.len() as u64, 77, 2));
        }
        std::fs::write(&path, &record).unwrap();
        let (file, cursor, keys) = resumed(&path).unwrap();
        assert_eq!((file.metadata().unwrap().len(), cursor, keys), (0, 0, 0), "no page was whole");
        std::fs::remove_file(&path).unwrap();
    }
}
