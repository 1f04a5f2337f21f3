//! `ringway open`: the console or an app in a browser.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use ringway_control::api::AppView;

use crate::cli::{OpenArgs, TargetArgs};
use crate::find_node::{console_url, find_node};
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, arguments: &OpenArgs) -> Result<()> {
    let client = find_node(target).await?;
    let url = match &arguments.app {
        None => console_url(&client)?,
        Some(name) => {
            let apps: Vec<AppView> = client.get("/v1/apps").await?;
            let app = apps.into_iter().find(|app| app.name == *name);
            let app = app.with_context(|| format!("there is no app {name}: `ringway status` shows those there are"))?;
            app.urls.into_iter().next().context("it has no address of its own here: add `hosts = [\"...\"]` to its ringway.toml, or ask another node with --admin")?
        }
    };
    if target.json {
        return output::print_json(&serde_json::json!({ "url": url }));
    }
    say!("{url}");
    if !arguments.print {
        browse(&url);
    }
    Ok(())
}

/// The address is printed already, so a machine without a browser is no error.
fn browse(url: &str) {
    let _ = Command::new("xdg-open").arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}
