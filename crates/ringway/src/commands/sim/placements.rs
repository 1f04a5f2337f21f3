//! `ringway sim ring --placement ...`: what joins and leaves move, and how even the load stays.

use anyhow::Result;
use ringway_ring::PlacementKind;
use ringway_sim::placement_run::{Error, PLACED_NODES_MAX, PlacementFigures, PlacementRun, members};

use super::{Town, seed};
use crate::cli::SimRingArgs;
use crate::output::{self, say};
use crate::progress::steps_bar;

pub fn plan(kind: PlacementKind, town: &Town, wanted: &SimRingArgs) -> Result<PlacementRun> {
    // Refused by number before so many are made.
    if town.nodes > PLACED_NODES_MAX {
        return Err(Error::Nodes(town.nodes).into());
    }
    let run = PlacementRun {
        kind,
        members: town.members.clone().unwrap_or_else(|| members(town.nodes, seed(wanted))),
        layout: town.layout.clone(),
        copies: wanted.copies,
        keys: wanted.keys,
        changes: wanted.changes,
        seed: seed(wanted),
    };
    run.check()?;
    Ok(run)
}

pub fn run(run: &PlacementRun) -> Result<PlacementFigures> {
    let bar = steps_bar("placement", u64::from(run.changes) * 2);
    let figures = run.run(&mut |done| bar.set_position(done))?;
    bar.finish_and_clear();
    Ok(figures)
}

pub fn tell(figures: &[PlacementFigures]) {
    let Some(first) = figures.first() else { return };
    say!(
        "{} nodes, {} keys, {} copies; {} joins and {} leaves in random order",
        first.nodes,
        first.keys,
        first.copies,
        first.joins,
        first.leaves
    );
    let head = ["PLACEMENT", "MOVED / IDEAL", "JOINS", "LEAVES", "LOAD MAX / MEAN", "PRIMARIES"];
    say!("{}", output::table(&head, figures.iter().map(row)));
}

fn row(figures: &PlacementFigures) -> Vec<String> {
    let mut row = vec![figures.placement.to_string()];
    row.extend(
        [figures.moved_over_ideal, figures.join_over_ideal, figures.leave_over_ideal].map(|x| format!("{x:.2}x")),
    );
    row.extend([figures.load_max_over_mean, figures.primary_max_over_mean].map(|x| format!("{x:.3}")));
    row
}
