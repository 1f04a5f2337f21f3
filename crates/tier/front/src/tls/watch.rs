//! Driver: a thread that refreshes the sources of certificates when their files change, and now and then anyway, and warns of
//! those that end soon.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use metrics::{counter, gauge};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use ringway_rt::clock::wall_ms;
use tracing::{debug, warn};

use super::certificate_source::{CertificateSource, Trouble, Watched};
use super::expiry::ExpiryWatch;

/// Not every change is told (network file systems), and certificates end by themselves.
const AT_LEAST_EVERY: Duration = Duration::from_secs(600);
/// A pair is written file by file: so long without a further change, it is whole.
const SETTLED_AFTER: Duration = Duration::from_millis(300);
/// One that is still no good then is told of.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watch {
    bell: Option<SyncSender<()>>,
    /// Rings the bell.
    _watcher: Option<RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
}

pub type Sources = Arc<[Box<dyn CertificateSource>]>;

impl Watch {
    pub fn start(sources: Sources) -> io::Result<Self> {
        // One that waits stands for all that follow.
        let (bell, rung) = sync_channel(1);
        let watcher = watcher(&sources, bell.clone());
        let thread = thread::Builder::new().name("front-certs".to_owned()).spawn(move || run(&sources, &rung))?;
        Ok(Self { bell: Some(bell), _watcher: watcher, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self._watcher = None;
        self.bell = None;
        if let Some(thread) = self.thread.take() {
            // The thread's panic was told when it happened.
            let _ = thread.join();
        }
    }
}

/// None if there is nothing to watch, or if nothing can be watched here: then there is only the regular look.
fn watcher(sources: &Sources, bell: SyncSender<()>) -> Option<RecommendedWatcher> {
    let mut dirs: Vec<_> = sources.iter().flat_map(|source| source.watched()).collect();
    dirs.sort();
    dirs.dedup();
    if dirs.is_empty() {
        return None;
    }
    let ring = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // Full: it is going to be looked at anyway.
            let _ = bell.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(ring).inspect_err(cannot_watch).ok()?;
    for Watched { dir, deep } in dirs {
        let mode = if deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        let _ = watcher.watch(&dir, mode).inspect_err(cannot_watch);
    }
    Some(watcher)
}

fn cannot_watch(error: &notify::Error) {
    warn!(%error, every = ?AT_LEAST_EVERY, "changes of certificates are only seen by looking now and then");
}

fn run(sources: &Sources, rung: &Receiver<()>) {
    let mut expiries = ExpiryWatch::default();
    look_at_ends(sources, &mut expiries);
    loop {
        match rung.recv_timeout(AT_LEAST_EVERY) {
            Ok(()) => settle(rung),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let mut troubles = refresh(sources);
        if !troubles.is_empty() {
            match rung.recv_timeout(SECOND_LOOK) {
                Ok(()) => settle(rung),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            troubles = refresh(sources);
        }
        tell(&troubles);
        look_at_ends(sources, &mut expiries);
    }
}

/// Until nothing has changed for a moment; not forever.
fn settle(rung: &Receiver<()>) {
    for _ in 0..20 {
        if rung.recv_timeout(SETTLED_AFTER).is_err() {
            return;
        }
    }
}

fn refresh(sources: &Sources) -> Vec<Trouble> {
    let now = Duration::from_millis(wall_ms());
    let troubles: Vec<Trouble> = sources.iter().flat_map(|source| source.refresh(now)).collect();
    debug!(troubles = troubles.len(), "the certificates were looked at");
    troubles
}

fn look_at_ends(sources: &Sources, expiries: &mut ExpiryWatch) {
    let all: Vec<_> = sources.iter().flat_map(|source| source.expiries()).collect();
    for expiry in &all {
        let name = expiry.label.to_string();
        gauge!("ringway_front_certificate_expiry_timestamp_seconds", "certificate" => name)
            .set(expiry.valid_until.as_secs() as f64);
    }
    tell(&expiries.look(Duration::from_millis(wall_ms()), &all));
}

pub fn tell(troubles: &[Trouble]) {
    for Trouble { about, text } in troubles {
        counter!("ringway_front_certificate_troubles_total").increment(1);
        warn!(certificate = about, trouble = text, "a certificate needs somebody");
    }
}
