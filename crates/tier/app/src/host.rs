//! Driver: what all kinds of instances need of this node: the release's files, directories, environment, a process, logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringway_catalog::Release;
use ringway_ports::{InvokeError, LogStream};
use ringway_rt::Tasks;
use ringway_sandbox::{Child, Command, Error as SandboxError, Policy};

use crate::config::{Config, Deps};
use crate::environment::{Dirs, Facts, component_environment, environment};
use crate::logs::{Logs, Source};
use crate::release_dir::{ReleaseError, Releases};

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Host {
    pub config: Arc<Config>,
    pub deps: Deps,
    pub logs: Arc<Logs>,
    pub releases: Arc<Releases>,
    pub tasks: Tasks,
}

/// A service, function or CGI target of one release: what instances are made of.
#[derive(Clone, Debug)]
pub struct Unit {
    pub app: Arc<str>,
    pub release: Arc<Release>,
    pub name: Arc<str>,
    pub env: BTreeMap<String, String>,
    pub database: bool,
}

impl Unit {
    /// For people: `shop/catalog`.
    pub fn label(&self) -> String {
        format!("{}/{}", self.app, self.name)
    }

    pub fn count_cold_start(&self) {
        let (app, unit) = (self.app.to_string(), self.name.to_string());
        metrics::counter!("ringway_app_cold_starts_total", "app" => app, "unit" => unit).increment(1);
    }

    pub fn source(&self, instance: &Arc<str>) -> Source {
        Source { app: self.app.clone(), unit: self.name.clone(), instance: instance.clone() }
    }
}

/// The directories of one instance.
#[derive(Clone, Debug)]
pub struct Place {
    pub release: Arc<Path>,
    temporary: PathBuf,
    /// Of the app: everything in it is kept.
    app: PathBuf,
    files: PathBuf,
    database: PathBuf,
}

impl Place {
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }
}

impl Host {
    /// Makes the directories of an instance; the release is fetched and unpacked if need be.
    pub async fn place(&self, unit: &Unit, instance: &str) -> Result<Place, InvokeError> {
        let release = self.releases.get(&unit.app, &unit.release).await.map_err(release_failed)?;
        let place = self.place_in(unit, release, instance);
        for dir in [&place.temporary, &place.files] {
            tokio::fs::create_dir_all(dir)
                .await
                .map_err(|error| InvokeError::Internal(format!("cannot make {}: {error}", dir.display())))?;
        }
        Ok(place)
    }

    fn place_in(&self, unit: &Unit, release: Arc<Path>, instance: &str) -> Place {
        let app = self.config.data_dir.join("apps").join(&*unit.app);
        let name = instance.rsplit('/').next().unwrap_or(instance).replace('#', "-");
        let temporary = self.config.data_dir.join("run").join(&*unit.app).join(name);
        let (files, database) = (app.join("files"), app.join(format!("{}.sqlite3", unit.app)));
        Place { release, temporary, app, files, database }
    }

    /// The environment of a process, in clear: never log it.
    pub fn environment(&self, unit: &Unit, instance: &str, place: &Place) -> BTreeMap<String, String> {
        let catalog = self.deps.control.catalog();
        environment(&self.facts(unit, instance, place, &catalog))
    }

    /// The environment of a component.
    pub fn component_environment(&self, unit: &Unit, instance: &str) -> Vec<(String, String)> {
        let catalog = self.deps.control.catalog();
        let place = self.place_in(unit, Arc::from(Path::new("/")), instance);
        component_environment(&self.facts(unit, instance, &place, &catalog))
    }

    fn facts<'a>(
        &'a self,
        unit: &'a Unit,
        instance: &'a str,
        place: &'a Place,
        catalog: &'a ringway_catalog::Catalog,
    ) -> Facts<'a> {
        Facts {
            config: &self.config,
            catalog,
            memcache: &*self.deps.memcache,
            app: &unit.app,
            release: &unit.release,
            env: &unit.env,
            instance,
            unit: &unit.name,
            database: unit.database,
            dirs: Dirs { temporary: &place.temporary, files: &place.files, database: &place.database },
        }
    }

    /// Starts a process in `place`. What it writes to standard error (and output, unless the caller has taken that) is logged.
    pub async fn start(&self, place: &Place, source: &Source, mut command: Command) -> Result<Child, SandboxError> {
        command.policy = Policy {
            private: vec![self.config.data_dir.clone()],
            read: vec![place.release.to_path_buf()],
            write: vec![place.temporary.clone(), place.app.clone()],
        };
        command.errors = ringway_sandbox::Output::Pipe;
        let mut child = self.deps.spawner.spawn(command).await?;
        if let Some(errors) = child.errors.take() {
            self.tasks.spawn("stderr", Arc::clone(&self.logs).pump(source.clone(), LogStream::Err, errors));
        }
        Ok(child)
    }

    pub fn log_output(&self, source: &Source, child: &mut Child) {
        if let Some(output) = child.output.take() {
            self.tasks.spawn("stdout", Arc::clone(&self.logs).pump(source.clone(), LogStream::Out, output));
        }
    }

    /// Removes what an instance wrote to its temporary directory.
    pub async fn clean_up(&self, place: &Place) {
        if let Err(error) = tokio::fs::remove_dir_all(&place.temporary).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %place.temporary.display(), %error, "temporary directory cannot be removed");
        }
    }
}

pub fn release_failed(error: ReleaseError) -> InvokeError {
    match error {
        ReleaseError::Archive(_) => InvokeError::NotStarting { what: "release".to_owned(), detail: error.to_string() },
        other => InvokeError::Internal(other.to_string()),
    }
}

/// Whose fault it is that a process could not be started.
pub fn start_failed(what: &str, error: SandboxError) -> InvokeError {
    match error {
        SandboxError::Refused(_) | SandboxError::TooLarge { .. } => {
            InvokeError::NotStarting { what: what.to_owned(), detail: error.to_string() }
        }
        other => InvokeError::Internal(format!("{what}: {other}")),
    }
}
