//! Core: the experiments of the Chord papers (SIGCOMM 2001, IEEE/ACM ToN 2003) and our own on churn, each a function of a seed.
//!
//! An [`Experiment`] answers one question. It runs in virtual time or on converged rings, and gives a [`Report`]: tables in
//! which our figure stands beside the published one, and plots of the same. The same seed and scale give the same bytes.

use serde::Serialize;

use crate::plot::Plot;
use crate::table::Table;

pub use catalogue::experiments;

mod catalogue;
mod churn;
mod load;
mod paths;

/// One question, and how to answer it.
pub struct Experiment {
    /// As on the command line.
    pub name: &'static str,
    /// One line: what is measured.
    pub what: &'static str,
    /// Which figure or table of the papers it reproduces, if any.
    pub source: &'static str,
    pub run: fn(seed: u64, scale: Scale) -> Report,
}

/// How much work an experiment may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Seconds without optimisation: for tests.
    Quick,
    /// As many nodes and lookups as the paper used, or more: seconds to a minute, optimised.
    Full,
}

/// What an experiment found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub experiment: String,
    pub seed: u64,
    pub tables: Vec<Table>,
    pub plots: Vec<Plot>,
    /// What to know when reading the figures.
    pub notes: Vec<String>,
}

impl Experiment {
    pub fn report(&self, seed: u64, scale: Scale) -> Report {
        let mut report = (self.run)(seed, scale);
        report.experiment = self.name.to_owned();
        report.seed = seed;
        report
    }
}

impl Scale {
    /// One of two values, the smaller for tests.
    pub fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Scale::Quick => quick,
            Scale::Full => full,
        }
    }
}

/// The experiment of that name.
pub fn find(name: &str) -> Option<&'static Experiment> {
    experiments().iter().find(|experiment| experiment.name == name)
}

#[cfg(test)]
mod tests;
