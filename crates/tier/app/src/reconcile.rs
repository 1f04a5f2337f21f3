//! Driver: makes this node run what the catalog and the membership say it should.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_catalog::{Catalog, Release, nodes_for};

use crate::host::Host;
use crate::placement::instances_here;
use crate::units::Units;

/// How often idle instances and finished deploys are looked for.
const TICK: Duration = Duration::from_millis(200);

pub async fn run(host: Host, units: Arc<Units>) {
    let stopping = host.tasks.stopping();
    let mut catalogs = host.deps.control.watch();
    let mut members = host.deps.membership.watch();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::pin!(stopping);
    apply(&host, &units).await;
    loop {
        // A closed watch is a node that is being taken down: only the ticks go on.
        tokio::select! {
            biased;
            () = &mut stopping => break,
            Ok(()) = catalogs.changed() => apply(&host, &units).await,
            Ok(()) = members.changed() => apply(&host, &units).await,
            _ = ticks.tick() => {
                units.tick(Instant::now());
                gauge(&units);
            }
        }
    }
    units.tick(Instant::now());
}

async fn apply(host: &Host, units: &Arc<Units>) {
    let catalog = host.deps.control.catalog();
    want_services(host, units, &catalog);
    let current = |key: &crate::units::FunctionKey| {
        let release = catalog.apps.get(&*key.app).and_then(|app| app.current_release());
        release.is_some_and(|release| {
            release.number == key.release
                && release.files == key.files
                && release.manifest.functions.contains_key(&key.function)
        })
    };
    units.retain(current, |app| catalog.apps.contains_key(app));
    host.logs.retain(|app| catalog.apps.contains_key(app));
    remove_old_releases(host.clone(), Arc::clone(units), catalog).await;
}

fn want_services(host: &Host, units: &Units, catalog: &Catalog) {
    let own = host.config.own_id;
    let is_reachable = |node| node == own || host.deps.membership.is_reachable(node);
    for app in catalog.apps.values() {
        let Some(release) = app.current_release() else { continue };
        let (name, release) = (Arc::<str>::from(app.name.as_str()), Arc::new(release.clone()));
        for (service_name, service) in &release.manifest.services {
            let replicas = service.replicas.min as usize;
            let nodes = nodes_for(catalog, is_reachable, &app.name, service_name, replicas);
            let count = instances_here(&nodes, own, replicas);
            let wanted = (Arc::clone(&release), Arc::new(service.clone()), count);
            units.service(&name, service_name).want(Some(wanted));
        }
    }
    for (app, name, group) in units.services() {
        let release = catalog.apps.get(&*app).and_then(|app| app.current_release());
        if !release.is_some_and(|release| release.manifest.services.contains_key(&name)) {
            group.want(None);
        }
    }
}

/// Those that nobody can go back to and that nothing runs from.
async fn remove_old_releases(host: Host, units: Arc<Units>, catalog: Arc<Catalog>) {
    let remove = move || {
        let in_use: Vec<(Arc<str>, Arc<Release>)> = units
            .services()
            .into_iter()
            .flat_map(|(app, _, group)| group.releases().into_iter().map(move |release| (Arc::clone(&app), release)))
            .collect();
        let known =
            catalog.apps.values().flat_map(|app| app.releases.iter().map(|release| (app.name.as_str(), release)));
        host.releases.retain(known.chain(in_use.iter().map(|(app, release)| (&**app, &**release))));
    };
    if let Err(error) = tokio::task::spawn_blocking(remove).await {
        tracing::error!(%error, "old releases cannot be removed");
    }
}

fn gauge(units: &Units) {
    let count: usize = units.services().iter().map(|(_, _, group)| group.instances().len()).sum();
    let functions: usize = units.functions().iter().map(|(_, pool)| crate::instance_list::count(pool)).sum();
    metrics::gauge!("ringway_app_instances").set((count + functions) as f64);
}
