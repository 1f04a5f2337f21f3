//! `ringway logs`: what an app's instances wrote, from all nodes.

use anyhow::Result;
use ringway_control::api::{LogEntry, Logs};
use ringway_ports::LogStream;

use crate::admin_client::segment;
use crate::cli::{LogsArgs, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, arguments: &LogsArgs) -> Result<()> {
    let client = find_node(target).await?;
    let (app, lines) = (segment(&arguments.app), arguments.lines);
    if !arguments.follow {
        let logs: Logs = client.get(&format!("/v1/logs?app={app}&lines={lines}")).await?;
        logs.lines.iter().try_for_each(|entry| print_entry(entry, target.json))?;
        for node in &logs.unreachable {
            eprintln!("node {} did not answer: its lines are missing", node.name);
        }
        return Ok(());
    }
    let mut follow = client.lines(&format!("/v1/logs/follow?app={app}&lines={lines}")).await?;
    while let Some(line) = follow.next().await? {
        // An empty line only says that the node is still there.
        if !line.is_empty() {
            print_entry(&serde_json::from_str(&line)?, target.json)?;
        }
    }
    Ok(())
}

pub fn print_entry(entry: &LogEntry, json: bool) -> Result<()> {
    say!("{}", if json { serde_json::to_string(entry)? } else { show(entry) });
    Ok(())
}

fn show(entry: &LogEntry) -> String {
    let line = &entry.line;
    let mark = match line.stream {
        LogStream::Out => "|",
        LogStream::Err => "!",
        LogStream::Platform => "*",
    };
    let who = if line.instance.is_empty() { &line.unit } else { &line.instance };
    format!("{} {} {who} {mark} {}", output::clock(line.at_ms), entry.node, line.text)
}
