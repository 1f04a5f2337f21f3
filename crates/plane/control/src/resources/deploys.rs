//! Driver: an app comes in (`/v1/plan`, `/v1/deploy`), is watched coming up (`/v1/deploys/...`), goes back (`/v1/rollback`).

use std::sync::Arc;

use ringway_catalog::{Catalog, Command, Outcome, Secret};
use ringway_manifest::{Change, Manifest, diff};
use ringway_ports::{InstanceState, InstanceView};
use ringway_rt::random;
use tokio::sync::OwnedSemaphorePermit;
use tracing::info;

use crate::Error;
use crate::api::{Deployed, FaultView, Health, InstanceEntry, NAME_HEADER, Plan, Rollback, RolledBack, UnitHealth};
use crate::control::Control;
use crate::package::{Examined, Package};
use crate::peer_messages::{Ask, Report};
use crate::reply::{Reply, created, json};
use crate::request::Call;
use crate::resources::apps;
use crate::upload::Upload;

pub(crate) async fn plan(control: Arc<Control>, call: Call) -> Reply {
    let received = receive(&control, call).await?;
    let Examined { manifest, warnings } = received.examined;
    let catalog = control.catalog();
    let current = catalog.apps.get(&manifest.name).and_then(|app| app.current_release());
    json(&Plan {
        app: manifest.name.clone(),
        current: current.map(|release| release.number),
        changes: changes(&catalog, &manifest),
        files_changed: current.is_none_or(|release| release.files != received.upload.id),
        manifest,
        warnings: warnings.into_iter().map(FaultView::from).collect(),
    })
}

pub(crate) async fn deploy(control: Arc<Control>, call: Call) -> Reply {
    let received = receive(&control, call).await?;
    let Examined { manifest, warnings } = received.examined;
    let catalog = control.catalog();
    let changes = changes(&catalog, &manifest);
    let warnings: Vec<FaultView> = warnings.into_iter().map(FaultView::from).collect();
    let hosts = manifest.hosts.clone();
    let current = catalog.apps.get(&manifest.name).and_then(|app| app.current_release());
    // Deploying again what is served is no new release: nobody's instances are restarted for nothing.
    if let Some(release) = current.filter(|release| release.files == received.upload.id && release.manifest == manifest)
    {
        let (app, release) = (manifest.name, release.number);
        let urls = apps::urls(&catalog, control.own_id(), &app, &hosts);
        return json(&Deployed { app, release, urls, changes, warnings, unchanged: true });
    }
    let (files, files_len) = control.deps.blobs.put(received.upload.path().to_owned()).await?;
    let bucket_tokens = manifest.buckets.keys().map(|name| (name.clone(), Secret::new(random::token()))).collect();
    let outcome =
        control.deps.control_log.propose(Command::Deploy { manifest, files, files_len, bucket_tokens }).await?;
    let (app, release) = released(outcome)?;
    info!(app, release, files_len, "app deployed");
    let urls = apps::urls(&control.catalog(), control.own_id(), &app, &hosts);
    created(&Deployed { app, release, urls, changes, warnings, unchanged: false })
}

pub(crate) async fn rollback(control: Arc<Control>, call: Call) -> Reply {
    let Rollback { app, to } = call.json().await?;
    let (app, release) = released(control.deps.control_log.propose(Command::Rollback { app, to }).await?)?;
    info!(app, release, "app rolled back");
    json(&RolledBack { app, release })
}

pub(crate) async fn health(control: Arc<Control>, call: Call) -> Reply {
    let (name, number) = (call.param(0)?, call.param(1)?);
    let catalog = control.catalog();
    let app = catalog.apps.get(name).ok_or_else(|| Error::NotFound(format!("there is no app {name}")))?;
    let release = number.parse().ok().and_then(|number| app.release(number));
    let release = release.ok_or_else(|| Error::NotFound(format!("app {name} has no release {number}")))?;
    let answers = control.cluster.ask_all::<Report>(&catalog, |_| Ask::Report).await;
    let mut instances = Vec::new();
    for answer in answers {
        let of_release = answer
            .result
            .unwrap_or_default()
            .instances
            .into_iter()
            .filter(|i| i.app == name && i.release == release.number);
        instances.extend(of_release.map(|instance| InstanceEntry { node: answer.node.name.clone(), instance }));
    }
    let units = units(&release.manifest, &instances);
    json(&Health {
        app: name.to_owned(),
        release: release.number,
        is_current: app.current == release.number,
        ready: units.iter().all(|unit| unit.ready),
        units,
    })
}

struct Received {
    upload: Upload,
    examined: Examined,
    _permit: OwnedSemaphorePermit,
}

async fn receive(control: &Control, call: Call) -> Result<Received, Error> {
    Upload::check_length(call.headers())?;
    let permit = control.uploads.clone().try_acquire_owned();
    let permit = permit
        .map_err(|_| Error::Unavailable("too many deploys are under way on this node: try again soon".to_owned()))?;
    let name = call.headers().get(NAME_HEADER).and_then(|value| value.to_str().ok()).unwrap_or("app").to_owned();
    let upload = Upload::receive(call.into_body(), &control.config.upload_dir).await?;
    let path = upload.path().to_owned();
    let package = tokio::task::spawn_blocking(move || -> Result<Package, Error> {
        let file = std::io::BufReader::new(std::fs::File::open(path)?);
        Package::read(file).map_err(|error| Error::BadRequest(error.to_string()))
    });
    let package = package.await.map_err(|error| Error::Internal(format!("the package was not read: {error}")))??;
    let examined = package.examine(&name).map_err(Error::Faults)?;
    Ok(Received { upload, examined, _permit: permit })
}

fn changes(catalog: &Catalog, manifest: &Manifest) -> Vec<Change> {
    let current = catalog.apps.get(&manifest.name).and_then(|app| app.current_release());
    diff(current.map(|release| &release.manifest), manifest)
}

fn released(outcome: Outcome) -> Result<(String, u64), Error> {
    match outcome {
        Outcome::Released { app, release } => Ok((app, release)),
        other => Err(Error::Internal(format!("the control log answered with {other:?}"))),
    }
}

/// The services that are to run without being asked, and how many healthy instances each has.
fn units(manifest: &Manifest, instances: &[InstanceEntry]) -> Vec<UnitHealth> {
    let wanted = manifest.services.iter().filter(|(_, service)| service.replicas.min > 0);
    wanted.map(|(name, service)| unit(name, service.replicas.min, instances)).collect()
}

fn unit(name: &str, wanted: u32, instances: &[InstanceEntry]) -> UnitHealth {
    let own: Vec<&InstanceEntry> = instances.iter().filter(|entry| entry.instance.unit == name).collect();
    let count = |test: fn(&InstanceView) -> bool| own.iter().filter(|entry| test(&entry.instance)).count() as u32;
    let healthy = count(is_healthy);
    let ailing = own.iter().filter(|entry| !is_healthy(&entry.instance) && !entry.instance.note.is_empty());
    UnitHealth {
        unit: name.to_owned(),
        ready: healthy >= wanted,
        wanted,
        healthy,
        starting: count(|instance| instance.state == InstanceState::Starting),
        notes: ailing
            .map(|entry| format!("{} on {}: {}", entry.instance.id, entry.node, entry.instance.note))
            .collect(),
    }
}

fn is_healthy(instance: &InstanceView) -> bool {
    matches!(instance.state, InstanceState::Warm | InstanceState::Busy | InstanceState::Idle)
}
