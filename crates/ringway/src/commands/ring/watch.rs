//! `ringway ring --watch`: on a terminal the picture, drawn anew in place; else a line for each change.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use ringway_control::api::{RingFrame, RingView};

use super::changes::changes;
use super::{has_colour, picture, room};
use crate::admin_client::{AdminClient, Lines};
use crate::output::{self, say};
use crate::ring_picture::Room;

/// The other screen, so that what was there before comes back. Lines that are too long are cut, not continued.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
/// Below the picture: a blank line, the time, how to end it.
const ROWS_BELOW: usize = 3;

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
    let picture = picture(ring, &frame.status, &frame.transfers, room, has_colour());
    format!("{picture}\n\n  {} UTC, seen from {}", &output::clock(frame.status.now_ms)[..8], frame.status.node.name)
}

/// The terminal's other screen; the first one comes back when this is dropped.
struct Screen;

impl Screen {
    fn enter() -> Self {
        put(ENTER);
        Self
    }

    /// Each line replaces the one before it: nothing flickers.
    fn show(&self, text: &str) {
        let mut out = String::from(HOME);
        for line in text.lines() {
            out += line;
            out += CLEAR_LINE;
            out += "\r\n";
        }
        put(&(out + CLEAR_BELOW + "  Ctrl-C ends"));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        put(LEAVE);
    }
}

/// A terminal that is gone needs nothing any more.
fn put(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
