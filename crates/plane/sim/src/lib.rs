//! Core and drivers: the ring's cores at 10 to 10^6 nodes in one process, in virtual time. Same seed, same bytes.

pub mod churn;
pub mod churn_run;
pub mod converged_ring;
mod cpu_time;
pub mod experiment;
mod huge_pages;
pub mod placement_run;
pub mod plot;
pub mod random;
pub mod ring_run;
pub mod statistics;
mod still_ring;
pub mod sweep;
pub mod table;
pub mod world;

pub use experiment::{Experiment, Report, Scale, experiments};
