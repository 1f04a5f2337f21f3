//! `ringway remove`: takes an app away.

use anyhow::{Result, bail};
use ringway_control::api::Done;

use crate::admin_client::segment;
use crate::cli::{RemoveArgs, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, arguments: &RemoveArgs) -> Result<()> {
    if !arguments.yes {
        bail!(
            "this deletes the app {0} with its buckets and what is in them; if that is meant: ringway remove {0} --yes",
            arguments.app
        );
    }
    let client = find_node(target).await?;
    let done: Done = client.delete(&format!("/v1/apps/{}", segment(&arguments.app))).await?;
    if target.json {
        return output::print_json(&done);
    }
    say!("{} is gone", arguments.app);
    Ok(())
}
