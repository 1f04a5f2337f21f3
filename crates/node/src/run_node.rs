//! Driver: the life of a node's process: start, signals, stop within a deadline.

use std::time::Duration;

use ringway_observe::{LogConfig, init_logs};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use crate::compose::Node;
use crate::data_dir::DataDir;
use crate::{Config, Error, Ready, Start};

/// Threads for blocking work (files, compilation): more only wait for the same disk.
const BLOCKING_THREADS_MAX: usize = 32;
/// On top of the drain: for what comes after the last request.
const RUNTIME_DEADLINE: Duration = Duration::from_secs(1);
/// What a member keeps for its cluster.
const KEPT_FOR_THE_CLUSTER: &[&str] = &["buckets", "blobs", "releases", "apps"];

/// Runs a node until SIGTERM, SIGINT or its leaving the cluster. Calls `on_ready` once it serves.
pub fn run_node(config: Config, start: Start, on_ready: impl FnOnce(Ready)) -> Result<(), Error> {
    init_logs(&LogConfig { format: config.log_format, filter: config.log.clone() })
        .map_err(|fault| Error::part("the log")(&fault))?;
    log_panics();
    let data_dir = DataDir::open(&config.data_dir)?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .thread_name("node")
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
        .map_err(Error::Socket)?;
    let outcome = runtime.block_on(live(&config, start, &data_dir, on_ready));
    shut_down(runtime);
    if let Ok(End::Left) = outcome {
        ringway_cluster::Cluster::forget(data_dir.path())?;
        data_dir.put_aside(KEPT_FOR_THE_CLUSTER)?;
        info!("left the cluster; what was kept for it is put aside in the data directory");
    }
    outcome.map(|_| ())
}

enum End {
    Told,
    Left,
}

async fn live(config: &Config, start: Start, data_dir: &DataDir, on_ready: impl FnOnce(Ready)) -> Result<End, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Socket)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Socket)?;
    let building = Node::build(config, start, data_dir);
    let node = tokio::select! {
        built = building => built?,
        _ = terminate.recv() => return Ok(End::Told),
        _ = interrupt.recv() => return Ok(End::Told),
    };
    on_ready(node.ready.clone());
    let mut removed = node.cluster.removed();
    let end = tokio::select! {
        _ = terminate.recv() => End::Told,
        _ = interrupt.recv() => End::Told,
        _ = removed.wait_for(|removed| *removed) => End::Left,
    };
    info!(within = ?config.drain, "stopping");
    // Somebody who asks twice does not want to wait.
    tokio::select! {
        () = node.stop(config.drain) => info!("stopped"),
        _ = terminate.recv() => warn!("told to stop again: stopping at once"),
        _ = interrupt.recv() => warn!("told to stop again: stopping at once"),
    }
    Ok(end)
}

fn shut_down(runtime: Runtime) {
    runtime.shutdown_timeout(RUNTIME_DEADLINE);
}

/// A panic ends one task or request, never the node; it must not go unseen.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("no message");
        error!(thread = thread.name().unwrap_or_default(), place, what, "panic");
    }));
}
