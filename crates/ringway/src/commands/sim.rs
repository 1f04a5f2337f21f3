//! `ringway sim`: the ring's cores at any size, in virtual time, without a cluster.

mod churn;
mod experiment;
mod from_cluster;
mod placements;
mod plots;
mod routers;

use anyhow::{Result, bail};
use ringway_ring::{Layout, Member, Point};
use serde::Serialize;

use crate::cli::{SimArgs, SimCommand, SimRingArgs, TargetArgs};
use crate::output;
use plots::Plots;

const NODES_DEFAULT: usize = 1000;
const SEED_DEFAULT: u64 = 1;

pub async fn run(target: &TargetArgs, arguments: &SimArgs) -> Result<()> {
    let SimCommand::Ring(wanted) = &arguments.command;
    let plots = Plots::new(wanted.plot.as_deref())?;
    if let Some(name) = &wanted.experiment {
        return experiment::run(name, wanted, &plots, target.json);
    }
    let town = match wanted.from_cluster {
        true => from_cluster::town(target).await?,
        false => Town { nodes: wanted.nodes.unwrap_or(NODES_DEFAULT), ..Town::default() },
    };
    if let Some(rate) = wanted.churn {
        return churn::run(rate, &town, wanted, &plots, target.json);
    }
    at_rest(&town, wanted, &plots, target.json)
}

/// The nodes of a simulated ring.
#[derive(Default)]
struct Town {
    /// Machines.
    nodes: usize,
    /// Of a running cluster: its nodes, where their virtual nodes stand, and its layout, if it has one.
    members: Option<Vec<Member>>,
    points: Option<Vec<Point>>,
    layout: Option<Layout>,
    /// What to tell about it.
    told: Option<String>,
}

/// Routers and placements, in one array.
fn at_rest(town: &Town, wanted: &SimRingArgs, plots: &Plots, json: bool) -> Result<()> {
    let placements = wanted.placements();
    let mut vias = wanted.vias();
    if vias.is_empty() && placements.is_empty() {
        vias = ringway_ring::Via::all().to_vec();
    }
    if vias.is_empty() && wanted.fail.is_some() {
        bail!("--fail is about lookups, and --placement alone has none: add --routers all");
    }
    // Everything is refused before anything is run.
    let lookups = (!vias.is_empty()).then(|| routers::plan(vias, town, wanted)).transpose()?;
    let placements: Vec<_> =
        placements.into_iter().map(|kind| placements::plan(kind, town, wanted)).collect::<Result<_>>()?;
    let routed = lookups.map(|run| routers::run(&run)).transpose()?.unwrap_or_default();
    let placed = placements.iter().map(placements::run).collect::<Result<Vec<_>>>()?;
    plots.routers(&routed)?;
    plots.placements(&placed)?;
    if json {
        let all: Vec<serde_json::Value> = values(&routed)?.into_iter().chain(values(&placed)?).collect();
        return output::print_json(&all);
    }
    town.tell();
    routers::tell(&routed);
    placements::tell(&placed);
    plots.tell();
    Ok(())
}

fn values(rows: &[impl Serialize]) -> Result<Vec<serde_json::Value>> {
    rows.iter().map(|row| Ok(serde_json::to_value(row)?)).collect()
}

impl Town {
    fn tell(&self) {
        if let Some(told) = &self.told {
            output::say!("{told}\n");
        }
    }
}

fn seed(wanted: &SimRingArgs) -> u64 {
    wanted.seed.unwrap_or(SEED_DEFAULT)
}

/// Whether processor time is measured, which is no function of the seed.
fn timing(wanted: &SimRingArgs) -> bool {
    wanted.timing || wanted.seed.is_none()
}

fn only_fingers(wanted: &SimRingArgs) -> Result<()> {
    if wanted.vias().iter().any(|via| *via != ringway_ring::Via::Fingers) {
        bail!("under churn nodes look up by fingers: leave out --routers, or say --routers fingers");
    }
    Ok(())
}
