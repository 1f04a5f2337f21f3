//! `ringway plan`: what a deploy would change.

use std::path::Path;

use anyhow::Result;
use ringway_control::api::{NAME_HEADER, Plan};
use ringway_manifest::{Change, ChangeKind};

use crate::app_dir::AppDir;
use crate::cli::TargetArgs;
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, dir: &Path) -> Result<()> {
    let app = AppDir::open(dir)?;
    app.print_warnings();
    let client = find_node(target).await?;
    let package = app.package()?;
    let plan: Plan = client.upload("/v1/plan", (NAME_HEADER, &app.dir_name), package.path(), |_| {}).await?;
    if target.json {
        return output::print_json(&plan);
    }
    match plan.current {
        Some(release) => say!("{}: release {release} is served now", plan.app),
        None => say!("{}: not deployed yet", plan.app),
    }
    print_changes(&plan.changes);
    say!("{}", if plan.files_changed { "~ files" } else { "= files are the same" });
    say!("nothing was changed: `ringway deploy {}` does it", dir.display());
    Ok(())
}

pub fn print_changes(changes: &[Change]) {
    for change in changes {
        let sign = match change.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
        };
        say!("{sign} {}{}{}", change.what, if change.detail.is_empty() { "" } else { ": " }, change.detail);
    }
}
