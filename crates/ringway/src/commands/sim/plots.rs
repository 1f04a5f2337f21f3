//! The plots of `ringway sim ring --plot DIR`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use ringway_sim::churn_run::ChurnFigures;
use ringway_sim::placement_run::PlacementFigures;
use ringway_sim::plot::{Axis, Look, Plot, Series};
use ringway_sim::ring_run::RouterFigures;
use ringway_sim::statistics::Histogram;

use crate::output::say;

/// Marks of one line: more of them cover each other.
const MARKS_MAX: usize = 50;

/// Where plots go, if they are wanted, and which have been written.
pub struct Plots {
    directory: Option<PathBuf>,
    written: Mutex<Vec<String>>,
}

impl Plots {
    /// Makes the directory: that it cannot be written is better known before minutes of work.
    pub fn new(directory: Option<&Path>) -> Result<Self> {
        if let Some(directory) = directory {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot write plots into {}", directory.display()))?;
        }
        Ok(Self { directory: directory.map(Path::to_owned), written: Mutex::default() })
    }

    pub fn write(&self, plots: &[Plot]) -> Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        for plot in plots {
            plot.write(directory)?;
            let names =
                ["svg", "png"].map(|kind| directory.join(format!("{}.{kind}", plot.name)).display().to_string());
            self.written.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(names);
        }
        Ok(())
    }

    pub fn tell(&self) {
        let written = self.written.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !written.is_empty() {
            say!("\nplots: {}", written.join(", "));
        }
    }

    /// How the lookups of each router differ in hops. Those by neighbours take hundreds: they would press the others together.
    pub fn routers(&self, figures: &[RouterFigures]) -> Result<()> {
        let are_alone = figures.len() == 1;
        let drawn = figures.iter().filter(|one| are_alone || one.router != ringway_ring::Via::Neighbours);
        let series: Vec<Series> = drawn.map(|one| shares(one.router.word(), &one.hops)).collect();
        let Some(nodes) = figures.first().map(|one| one.nodes).filter(|_| !series.is_empty()) else { return Ok(()) };
        self.write(&[hops("hops", format!("Share of lookups by hops, {nodes} nodes"), series)])
    }

    pub fn churn(&self, figures: &ChurnFigures) -> Result<()> {
        let title =
            format!("Share of lookups by hops, {} nodes, {} joins a second", figures.nodes, figures.joins_per_second);
        self.write(&[hops("churn-hops", title, vec![shares(figures.router, &figures.hops)])])
    }

    /// The load of each node, the most loaded first.
    pub fn placements(&self, figures: &[PlacementFigures]) -> Result<()> {
        let Some(first) = figures.first() else { return Ok(()) };
        let series = figures.iter().map(|one| {
            let last = one.loads.len().saturating_sub(1);
            let step = one.loads.len().div_ceil(MARKS_MAX).max(1);
            let drawn = one.loads.iter().enumerate().filter(|(place, _)| place % step == 0 || *place == last);
            let points = drawn.map(|(place, load)| (place as f64 + 1.0, *load));
            Series::new(one.placement.to_string(), Look::Ours, points)
        });
        let plot = Plot {
            name: "placement-load".to_owned(),
            title: format!("Copies held over the mean, after {} joins and {} leaves", first.joins, first.leaves),
            x: Axis::linear("nodes, the most loaded first"),
            y: Axis::linear("load over mean"),
            series: series.collect(),
        };
        self.write(&[plot])
    }
}

fn hops(name: &str, title: String, series: Vec<Series>) -> Plot {
    let (x, y) = (Axis::linear("hops, the owner included"), Axis::linear("share of lookups"));
    Plot { name: name.to_owned(), title, x, y, series }
}

fn shares(name: &str, hops: &Histogram) -> Series {
    // Nobody took one hop more than the most: the line comes down again.
    let shares = hops.shares().chain([0.0]);
    let points = shares.zip(0_u32..).map(|(share, hops)| (f64::from(hops), share));
    Series::new(name, Look::Ours, points)
}
