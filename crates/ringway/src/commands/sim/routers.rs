//! `ringway sim ring --routers ...`: lookups in a ring at rest, some of whose nodes may have died.

use anyhow::Result;
use ringway_ring::Via;
use ringway_sim::ring_run::{RingRun, RouterFigures, Stage};

use super::{Town, seed, timing};
use crate::cli::SimRingArgs;
use crate::output::{self, say};
use crate::progress::steps_bar;

const LOOKUPS_DEFAULT: u64 = 1_000_000;

pub fn plan(routers: Vec<Via>, town: &Town, wanted: &SimRingArgs) -> Result<RingRun> {
    let run = RingRun {
        nodes: town.points.as_ref().map_or(town.nodes, Vec::len),
        points: town.points.clone(),
        routers,
        base: wanted.base,
        list: wanted.list,
        lookups: wanted.lookups.unwrap_or(LOOKUPS_DEFAULT),
        fail: wanted.fail.unwrap_or(0.0),
        seed: seed(wanted),
        timing: timing(wanted),
    };
    run.check()?;
    Ok(run)
}

pub fn run(run: &RingRun) -> Result<Vec<RouterFigures>> {
    let bar = steps_bar("ring", run.nodes as u64);
    let figures = run.run(&mut |progress| {
        bar.set_position(progress.done);
        bar.set_length(progress.total);
        bar.set_message(match progress.stage {
            Stage::Ring => "ring",
            Stage::Lookups(via) => via.word(),
        });
    })?;
    bar.finish_and_clear();
    Ok(figures)
}

pub fn tell(figures: &[RouterFigures]) {
    if figures.is_empty() {
        return;
    }
    let head =
        ["ROUTER", "NODES", "LOOKUPS", "HOPS", "P50", "P99", "TIMEOUTS", "WRONG", "LOST", "ENTRIES", "PER CPU SECOND"];
    say!("{}", output::table(&head, figures.iter().map(row)));
}

fn row(figures: &RouterFigures) -> Vec<String> {
    vec![
        figures.router.word().to_owned(),
        figures.nodes.to_string(),
        figures.lookups.to_string(),
        format!("{:.2}", figures.hops_mean),
        figures.hops_p50.to_string(),
        figures.hops_p99.to_string(),
        format!("{:.2}", figures.timeouts_mean),
        figures.wrong.to_string(),
        figures.lost.to_string(),
        format!("{:.0}", figures.state_entries_per_node),
        figures.lookups_per_cpu_second.map_or_else(|| "-".to_owned(), output::count),
    ]
}
