//! `ringway node` and `ringway join`: runs a node until it is told to stop or has left the cluster.

use anyhow::Result;
use ringway_node::{Start, run_node};

use crate::cli::NodeArgs;
use crate::node_settings::settle;

pub fn run(arguments: &NodeArgs, start: Start) -> Result<()> {
    let config = settle(arguments)?;
    run_node(config, start, |ready| eprintln!("{}", ready.banner()))?;
    Ok(())
}
