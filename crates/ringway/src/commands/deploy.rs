//! `ringway deploy`: build, pack, upload, and wait until what was deployed is healthy.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ringway_control::api::{Deployed, Health, NAME_HEADER};

use super::plan::print_changes;
use crate::admin_client::{AdminClient, segment};
use crate::app_dir::AppDir;
use crate::cli::{DeployArgs, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};
use crate::progress::{bytes_bar, spinner};

const POLL: Duration = Duration::from_millis(200);

pub async fn run(target: &TargetArgs, arguments: &DeployArgs) -> Result<()> {
    let app = AppDir::open(&arguments.dir)?;
    app.print_warnings();
    // Find the node first: nobody wants to wait for a build to learn that there is none.
    let client = find_node(target).await?;
    if !arguments.no_build {
        app.build()?;
    }
    let deployed = upload(&client, &app).await?;
    if !target.json {
        print_changes(&deployed.changes);
    }
    if !arguments.no_wait {
        wait_until_healthy(&client, &deployed, arguments.timeout).await?;
    }
    if target.json {
        return output::print_json(&deployed);
    }
    let state = match (deployed.unchanged, arguments.no_wait) {
        (true, _) => "served already: nothing has changed",
        (false, true) => "deployed",
        (false, false) => "live",
    };
    say!("{} release {} is {state}", deployed.app, deployed.release);
    deployed.urls.iter().for_each(|url| say!("  {url}"));
    Ok(())
}

/// Packs the directory and sends it.
pub async fn upload(client: &AdminClient, app: &AppDir) -> Result<Deployed> {
    let package = app.package()?;
    let bar = bytes_bar("uploading", package.len);
    let sent = bar.clone();
    let deployed =
        client.upload("/v1/deploy", (NAME_HEADER, &app.dir_name), package.path(), move |len| sent.inc(len)).await;
    bar.finish_and_clear();
    deployed
}

async fn wait_until_healthy(client: &AdminClient, deployed: &Deployed, within: Duration) -> Result<()> {
    let start = Instant::now();
    let bar = spinner("waiting until it is healthy");
    loop {
        let health: Health =
            client.get(&format!("/v1/deploys/{}/{}", segment(&deployed.app), deployed.release)).await?;
        if health.ready {
            bar.finish_and_clear();
            return Ok(());
        }
        if start.elapsed() > within {
            bar.finish_and_clear();
            bail!(unhealthy(&health, within));
        }
        let waiting: Vec<String> = health
            .units
            .iter()
            .filter(|unit| !unit.ready)
            .map(|unit| format!("{} {}/{}", unit.unit, unit.healthy, unit.wanted))
            .collect();
        bar.set_message(format!("waiting for {}", waiting.join(", ")));
        tokio::time::sleep(POLL).await;
    }
}

fn unhealthy(health: &Health, within: Duration) -> String {
    let mut text = format!("{} release {} is not healthy after {within:?}:", health.app, health.release);
    for unit in health.units.iter().filter(|unit| !unit.ready) {
        text += &format!("\n  {}: {} of {} healthy", unit.unit, unit.healthy, unit.wanted);
        unit.notes.iter().for_each(|note| text += &format!("\n    {note}"));
    }
    let back = match health.release {
        1 => format!("`ringway remove {}` takes it away", health.app),
        _ => format!("`ringway rollback {}` goes back", health.app),
    };
    text + &format!("\n`ringway logs {}` shows what it wrote; {back}", health.app)
}
