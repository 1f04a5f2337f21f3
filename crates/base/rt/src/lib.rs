//! What every part needs of the machine: time, named tasks that stop together, sockets, files written whole, randomness.
//!
//! Network and disk operations go through here so that there is one place in which faults can be injected.

pub mod clock;
pub mod cores;
pub mod crowd;
pub mod files;
pub mod line_cutter;
pub mod net;
pub mod random;
pub mod tasks;

pub use tasks::Tasks;
