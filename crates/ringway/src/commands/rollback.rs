//! `ringway rollback`: to an earlier release.

use anyhow::Result;
use ringway_control::api::{Rollback, RolledBack};

use crate::cli::{RollbackArgs, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, arguments: &RollbackArgs) -> Result<()> {
    let client = find_node(target).await?;
    let wish = Rollback { app: arguments.app.clone(), to: arguments.to };
    let done: RolledBack = client.post("/v1/rollback", &wish).await?;
    if target.json {
        return output::print_json(&done);
    }
    say!("{} serves release {} again", done.app, done.release);
    Ok(())
}
