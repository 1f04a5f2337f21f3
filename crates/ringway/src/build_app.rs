//! Runs the manifest's `build` commands in the app directory, before it is packed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use ringway_manifest::Manifest;

/// Runs each build command in order: the app's, then those of services and functions. Stops at the first that fails.
pub fn build_app(dir: &Path, manifest: &Manifest) -> Result<()> {
    let services = manifest.services.iter().map(|(name, service)| (name.as_str(), &service.build));
    let functions = manifest.functions.iter().map(|(name, function)| (name.as_str(), &function.build));
    let all = std::iter::once((manifest.name.as_str(), &manifest.build)).chain(services).chain(functions);
    for (unit, command) in all.filter_map(|(unit, command)| Some((unit, command.as_deref()?))) {
        run(dir, unit, command)?;
    }
    Ok(())
}

fn run(dir: &Path, unit: &str, command: &str) -> Result<()> {
    eprintln!("building {unit}: {command}");
    let status = Command::new("sh")
        .args(["-c", command])
        .current_dir(dir)
        .status()
        .with_context(|| format!("cannot start the build command of {unit}"))?;
    if !status.success() {
        bail!("the build command of {unit} failed ({status}): {command}\nnothing was deployed");
    }
    Ok(())
}
