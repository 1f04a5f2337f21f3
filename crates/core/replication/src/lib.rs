//! Core: what a replica does with what it hears. Decides; no I/O, no clock.
//!
//! Today the *eventual* level: any replica accepts a write, what two of them come to have is merged (`ringway_values`), and a
//! [`WritePlan`] says when the client may be told. The other levels become modules next to [`write_plan`].

pub mod pace;
pub mod strain;
pub mod write_plan;

pub use pace::Pace;
pub use strain::Strain;
pub use write_plan::{Heard, WritePlan};
