//! `ringway kv get`: a string as it is, anything else element by element.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use ringway_control::api::{KvLine, RecordLine, ValueLine};

use super::path;
use crate::admin_client::AdminClient;
use crate::cli::KeyForm;
use crate::output;

pub async fn run(client: &AdminClient, bucket: &str, key: &str, form: KeyForm, json: bool) -> Result<()> {
    let mut lines = client.lines(&(path(bucket, key, form)? + "?as=lines")).await?;
    let mut printer = Printer { json, count: 0, ends_line: true };
    while let Some(line) = lines.next_bytes().await? {
        match KvLine::parse(&line)? {
            KvLine::Record(record) => printer.print(record)?,
            KvLine::Failure { error } => bail!(error),
            _ => {}
        }
    }
    printer.finish()
}

/// A long value comes in several lines, and none is kept.
struct Printer {
    json: bool,
    count: usize,
    ends_line: bool,
}

impl Printer {
    fn print(&mut self, record: RecordLine) -> Result<()> {
        if self.json {
            // One document for each line of the API: of a long value there are several.
            return output::print_json(&record);
        }
        let mut out = std::io::stdout().lock();
        match record.value {
            ValueLine::String(text) => {
                let bytes = text.bytes()?;
                self.ends_line =
                    bytes.last().is_some_and(|byte| *byte == b'\n') || (bytes.is_empty() && self.ends_line);
                out.write_all(&bytes)?;
            }
            ValueLine::List(elements) => {
                for element in elements {
                    self.count += 1;
                    writeln!(out, "{}) {}", self.count, element.shown())?;
                }
            }
            ValueLine::Set(members) => {
                for member in members {
                    writeln!(out, "{}", member.shown())?;
                }
            }
            ValueLine::Hash(fields) => {
                for (field, value) in fields {
                    writeln!(out, "{}\t{}", field.shown(), value.shown())?;
                }
            }
            ValueLine::SortedSet(members) => {
                for (member, score) in members {
                    writeln!(out, "{score}\t{}", member.shown())?;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if out.is_terminal() && !self.ends_line && !self.json {
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(())
    }
}
