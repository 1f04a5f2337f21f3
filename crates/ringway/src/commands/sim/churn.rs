//! `ringway sim ring --churn RATE`: lookups while nodes come and go, every message simulated.

use anyhow::Result;
use ringway_sim::churn_run::{ChurnFigures, ChurnRun};

use super::plots::Plots;
use super::{Town, only_fingers, seed, timing};
use crate::cli::SimRingArgs;
use crate::output::{self, say};
use crate::progress::steps_bar;

const LOOKUPS_DEFAULT: u64 = 100_000;
const LIST_DEFAULT: usize = 16;

pub fn run(rate: f64, town: &Town, wanted: &SimRingArgs, plots: &Plots, json: bool) -> Result<()> {
    only_fingers(wanted)?;
    let run = ChurnRun {
        nodes: town.points.as_ref().map_or(town.nodes, Vec::len),
        rate,
        lookups: wanted.lookups.unwrap_or(LOOKUPS_DEFAULT),
        list: wanted.list.unwrap_or(LIST_DEFAULT),
        base: wanted.base.get(),
        plain: wanted.plain,
        seed: seed(wanted),
        timing: timing(wanted),
    };
    run.check()?;
    let bar = steps_bar("churn", run.lookups);
    let figures = run.run(&mut |asked| bar.set_position(asked))?;
    bar.finish_and_clear();
    plots.churn(&figures)?;
    if json {
        return output::print_json(&[figures]);
    }
    town.tell();
    tell(&figures);
    plots.tell();
    Ok(())
}

fn tell(figures: &ChurnFigures) {
    say!(
        "{} nodes; {} joined, {} left, {} crashed while {} lookups ran; {} more were abandoned, as who asked them went",
        figures.nodes,
        figures.joined,
        figures.left,
        figures.crashed,
        figures.lookups,
        figures.abandoned
    );
    let head = ["ROUTER", "HOPS", "P50", "P99", "TIMEOUTS", "WRONG", "LOST", "MS P50", "MS P99", "MESSAGES / NODE / S"];
    let row = vec![
        figures.router.to_owned(),
        format!("{:.2}", figures.hops_mean),
        figures.hops_p50.to_string(),
        figures.hops_p99.to_string(),
        format!("{:.3}", figures.timeouts_mean),
        figures.wrong.to_string(),
        figures.lost.to_string(),
        figures.ms_p50.to_string(),
        figures.ms_p99.to_string(),
        format!("{:.1}", figures.messages_per_node_second),
    ];
    say!("{}", output::table(&head, [row]));
}
