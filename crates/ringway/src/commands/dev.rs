//! `ringway dev`: one node with everything embedded, the app deployed to it, again on every change, and its logs here.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use notify::{EventKind, RecursiveMode, Watcher as _};
use ringway_control::api::{AppView, Deployed};
use ringway_node::{Start, run_node};

use super::deploy::upload;
use super::logs::print_entry;
use crate::admin_client::{AdminClient, segment};
use crate::app_dir::AppDir;
use crate::cli::DevArgs;
use crate::find_node::console_url;
use crate::node_settings::settle;
use crate::output;

/// An editor's save is several events; this long after the last one the app is deployed.
const QUIET: Duration = Duration::from_millis(60);
/// Changes that never end are deployed all the same.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// Written by us, by builds and by tools, not by the person.
const NOT_WATCHED: &[&str] = &[".ringway", ".git", "vendor", "node_modules", "__pycache__", "target"];

pub fn run(arguments: &DevArgs) -> Result<()> {
    let app = AppDir::open(&arguments.dir)?;
    let mut node = arguments.node.clone();
    node.name.get_or_insert_with(|| "dev".to_owned());
    node.data.get_or_insert_with(|| app.path().join(".ringway").join("dev"));
    node.log.get_or_insert_with(|| "warn".to_owned());
    let config = settle(&node)?;
    let dir = app.path().to_owned();
    run_node(config, Start::OpenOrFound, move |ready| {
        eprintln!("{}", ready.banner());
        let (admin, name) = (ready.admin_file().clone(), app.name().to_owned());
        let client = move || AdminClient::new(&admin.url, admin.token.clone());
        let log_client = client.clone();
        // Both end with the process; the node's own shutdown does not depend on them. There are no logs before the first deploy.
        let (first_deploy, deployed) = sync_channel::<()>(1);
        std::thread::spawn(move || {
            if deployed.recv().is_ok() {
                told("logs", on_runtime(show_logs(log_client, name)));
            }
        });
        std::thread::spawn(move || told("reload", on_runtime(deploy_on_change(client, dir, first_deploy))));
    })?;
    Ok(())
}

fn told(what: &str, ended: Result<()>) {
    if let Err(error) = ended {
        output::print_error(&error.context(format!("{what} stopped")));
    }
}

fn on_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

async fn deploy_on_change(
    client: impl Fn() -> Result<AdminClient>,
    dir: PathBuf,
    first_deploy: SyncSender<()>,
) -> Result<()> {
    let (sender, changes) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| is_a_change(&event)) {
            let _ = sender.send(());
        }
    })?;
    watcher.watch(&dir, RecursiveMode::Recursive).with_context(|| format!("cannot watch {}", dir.display()))?;
    let client = client()?;
    loop {
        let start = Instant::now();
        match deploy(&client, &dir).await {
            Ok(deployed) => {
                // Full or gone: the logs are shown already.
                let _ = first_deploy.try_send(());
                report(&client, &deployed, start.elapsed()).await?;
            }
            Err(error) => output::print_error(&error.context("not deployed; what ran before goes on")),
        }
        if !wait_for_quiet(&changes) {
            return Ok(());
        }
    }
}

async fn deploy(client: &AdminClient, dir: &Path) -> Result<Deployed> {
    let app = AppDir::open(dir)?;
    app.print_warnings();
    app.build()?;
    upload(client, &app).await
}

async fn report(client: &AdminClient, deployed: &Deployed, took: Duration) -> Result<()> {
    eprintln!("{} release {} deployed in {} ms", deployed.app, deployed.release, took.as_millis());
    if deployed.release == 1 || deployed.changes.iter().any(|change| change.what.starts_with("route")) {
        let app: Vec<AppView> = client.get("/v1/apps").await?;
        app.iter()
            .filter(|app| app.name == deployed.app)
            .flat_map(|app| &app.urls)
            .for_each(|url| eprintln!("  app      {url}"));
        eprintln!("  console  {}", console_url(client)?);
    }
    Ok(())
}

fn is_a_change(event: &notify::Event) -> bool {
    let watched =
        |path: &PathBuf| !path.components().any(|part| NOT_WATCHED.iter().any(|name| part.as_os_str() == *name));
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(watched)
}

/// Waits for a change and then until there are none for a moment. False when nobody watches any more.
fn wait_for_quiet(changes: &Receiver<()>) -> bool {
    if changes.recv().is_err() {
        return false;
    }
    let first = Instant::now();
    while first.elapsed() < QUIET_MAX {
        match changes.recv_timeout(QUIET) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

async fn show_logs(client: impl Fn() -> Result<AdminClient>, app: String) -> Result<()> {
    let client = client()?;
    let mut lines = client.lines(&format!("/v1/logs/follow?app={}&lines=100", segment(&app))).await?;
    while let Some(line) = lines.next().await? {
        if !line.is_empty() {
            print_entry(&serde_json::from_str(&line)?, false)?;
        }
    }
    Ok(())
}
