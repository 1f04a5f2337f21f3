//! Which node a command talks to: the one named, else one whose data directory is under `./.ringway` here or further up.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use ringway_node::{ADMIN_FILE, AdminFile};

use crate::admin_client::AdminClient;
use crate::cli::TargetArgs;

/// A client for the node that `target` names or the nearest one. With several here, the first that answers.
pub async fn find_node(target: &TargetArgs) -> Result<AdminClient> {
    match &target.admin {
        Some(url) if url.starts_with("http://") => {
            let token = target
                .admin_token
                .clone()
                .context("--admin with a URL needs the node's token: --admin-token, or RINGWAY_ADMIN_TOKEN")?;
            AdminClient::new(url, token)
        }
        Some(dir) => open(&Path::new(dir).join(ADMIN_FILE)),
        None => first_that_answers(&here_or_above(&std::env::current_dir()?)).await,
    }
}

fn open(file: &Path) -> Result<AdminClient> {
    let text = fs::read_to_string(file).with_context(|| {
        format!("there is no running node's {}: is that its data directory, and does it run?", file.display())
    })?;
    let admin: AdminFile =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged: restart the node", file.display()))?;
    AdminClient::new(&admin.url, admin.token)
}

/// The data directory of the node that `target` names, or of the nearest one, whether it runs or not.
pub fn find_data_dir(target: &TargetArgs) -> Result<PathBuf> {
    match &target.admin {
        Some(url) if url.starts_with("http://") => {
            bail!("this is read from the node's data directory: on its machine, name that with --admin DIR")
        }
        Some(dir) => Ok(PathBuf::from(dir)),
        None => {
            let files = here_or_above(&std::env::current_dir()?);
            let dir = files.first().and_then(|file| file.parent()).map(Path::to_owned);
            dir.context(
                "no node found: there is no .ringway directory here or above. Name a data directory with --admin DIR",
            )
        }
    }
}

async fn first_that_answers(files: &[PathBuf]) -> Result<AdminClient> {
    let mut failure = None;
    for file in files {
        let client = open(file)?;
        match client.health().await {
            Ok(()) => return Ok(client),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => {
            Err(error.context("no node under ./.ringway answers: start one with `ringway node` or `ringway dev`"))
        }
        None => Err(anyhow!(
            "no node found: there is no .ringway directory here or above. Start one with `ringway node` or `ringway dev`, or name one with --admin"
        )),
    }
}

/// Admin files of the nodes under the nearest `.ringway` directory, sorted by name.
fn here_or_above(start: &Path) -> Vec<PathBuf> {
    for dir in start.ancestors() {
        let Ok(entries) = fs::read_dir(dir.join(".ringway")) else { continue };
        let mut files: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path().join(ADMIN_FILE)).filter(|path| path.is_file()).collect();
        files.sort();
        if !files.is_empty() {
            return files;
        }
    }
    Vec::new()
}

/// A browser's way into the console: the token travels in the fragment, which browsers keep to themselves.
pub fn console_url(client: &AdminClient) -> Result<String> {
    if client.token().is_empty() {
        bail!("this node has no admin token");
    }
    Ok(format!("{}/#token={}", client.url(), client.token()))
}
