//! Driver: what instances print, kept for a while and told to whoever follows.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringway_ports::{LogLine, LogStream};
use ringway_rt::clock;
use ringway_rt::line_cutter::LineCutter;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::broadcast;

/// Kept per app.
pub const LINES_MAX: usize = 2_000;
/// Kept per app, whatever the number of lines.
const BYTES_MAX: usize = 4 << 20;
/// A longer line comes in pieces.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// What a slow follower may fall behind.
const FOLLOW_MAX: usize = 1_024;

/// Who says it.
#[derive(Clone, Debug)]
pub struct Source {
    pub app: Arc<str>,
    pub unit: Arc<str>,
    pub instance: Arc<str>,
}

#[derive(Debug)]
pub struct Logs {
    apps: Mutex<HashMap<String, Ring>>,
    follow: broadcast::Sender<LogLine>,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<LogLine>,
    bytes: usize,
}

impl Default for Logs {
    fn default() -> Self {
        Self { apps: Mutex::default(), follow: broadcast::Sender::new(FOLLOW_MAX) }
    }
}

impl Logs {
    pub fn add(&self, source: &Source, stream: LogStream, text: &str) {
        tracing::debug!(app = %source.app, instance = %source.instance, ?stream, text, "app log");
        let line = LogLine {
            at_ms: clock::wall_ms(),
            app: source.app.to_string(),
            unit: source.unit.to_string(),
            instance: source.instance.to_string(),
            stream,
            text: text.to_owned(),
        };
        // Nobody follows: no failure.
        let _ = self.follow.send(line.clone());
        self.apps().entry(line.app.clone()).or_default().push(line);
    }

    /// Said by the platform about an instance.
    pub fn note(&self, source: &Source, text: &str) {
        self.add(source, LogStream::Platform, text);
    }

    pub fn recent(&self, app: &str, lines: usize) -> Vec<LogLine> {
        let apps = self.apps();
        let Some(ring) = apps.get(app) else { return Vec::new() };
        ring.lines.iter().skip(ring.lines.len().saturating_sub(lines)).cloned().collect()
    }

    pub fn follow(&self) -> broadcast::Receiver<LogLine> {
        self.follow.subscribe()
    }

    /// Forgets the lines of all apps but these.
    pub fn retain(&self, is_known: impl Fn(&str) -> bool) {
        self.apps().retain(|app, _| is_known(app));
    }

    /// Takes in what comes out of a pipe until its end.
    pub async fn pump(self: Arc<Self>, source: Source, stream: LogStream, mut pipe: impl AsyncRead + Unpin) {
        let mut cutter = LineCutter::new(LINE_BYTES_MAX);
        let mut buffer = vec![0; LINE_BYTES_MAX];
        while let Ok(len @ 1..) = pipe.read(&mut buffer).await {
            cutter.push(&buffer[..len], |line| self.add(&source, stream, line));
        }
        cutter.finish(|line| self.add(&source, stream, line));
    }

    fn apps(&self) -> MutexGuard<'_, HashMap<String, Ring>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, line: LogLine) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.text.len();
        }
    }
}

#[cfg(test)]
mod tests;
