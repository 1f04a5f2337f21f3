//! `ringway ring --watch`: on a terminal the picture, drawn anew in place; else a line for each change.

use std::io::IsTerminal as _;

use anyhow::Result;
use ringway_control::api::{RingFrame, RingView};

use super::changes::changes;
use super::{picture, room};
use crate::admin_client::{AdminClient, Lines};
use crate::output::{self, say};
use crate::ring_picture::Room;
use crate::screen::{ROWS_BELOW as SCREEN_ROWS, Screen};

/// Below the picture: a blank line, the time, and what the screen itself says.
const ROWS_BELOW: usize = 2 + SCREEN_ROWS;

pub async fn run(client: &AdminClient, json: bool) -> Result<()> {
    let frames = Frames { lines: client.lines("/v1/ring/watch").await?, ring: None };
    if json || !std::io::stdout().is_terminal() {
        return tell(frames, json).await;
    }
    draw(frames).await
}

struct Frames {
    lines: Lines,
    /// As it was sent last.
    ring: Option<RingView>,
}

impl Frames {
    /// None when the node stops.
    async fn next(&mut self) -> Result<Option<RingFrame>> {
        while let Some(line) = self.lines.next().await? {
            if line.is_empty() {
                continue;
            }
            let mut frame: RingFrame = serde_json::from_str(&line)?;
            self.ring = frame.ring.take().or(self.ring.take());
            frame.ring.clone_from(&self.ring);
            return Ok(Some(frame));
        }
        Ok(None)
    }
}

async fn tell(mut frames: Frames, json: bool) -> Result<()> {
    let mut before = None;
    while let Some(frame) = frames.next().await? {
        if json {
            say!("{}", serde_json::to_string(&frame)?);
            continue;
        }
        for change in changes(before.as_ref(), &frame) {
            say!("{} {change}", output::clock(frame.status.now_ms));
        }
        before = Some(frame);
    }
    say!("the node has stopped");
    Ok(())
}

/// Until Ctrl-C; the last picture stays.
async fn draw(mut frames: Frames) -> Result<()> {
    let screen = Screen::enter();
    let mut last = None;
    let outcome = loop {
        let frame = tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => break Ok(()),
            frame = frames.next() => frame,
        };
        match frame {
            Ok(Some(frame)) => {
                // Asked for each time: a window may change its size.
                let mut room = room();
                room.rows = room.rows.map(|rows| rows.saturating_sub(ROWS_BELOW));
                screen.show(&shown(&frame, room));
                last = Some(frame);
            }
            Ok(None) => break Err(anyhow::anyhow!("the node has stopped")),
            Err(error) => break Err(error),
        }
    };
    drop(screen);
    if let Some(frame) = last {
        say!("{}", shown(&frame, Room { rows: None, ..room() }));
    }
    outcome
}

fn shown(frame: &RingFrame, room: Room) -> String {
    let Some(ring) = &frame.ring else { return String::new() };
    let picture = picture(ring, &frame.status, &frame.transfers, room, output::has_colour());
    format!("{picture}\n\n  {} UTC, seen from {}", &output::clock(frame.status.now_ms)[..8], frame.status.node.name)
}
