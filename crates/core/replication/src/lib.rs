//! Core: what a replica does with what it hears. Decides; no I/O, no clock.
//!
//! Today the *eventual* level: any replica accepts a write, the later [`Cell`] of a key wins everywhere, and a [`WritePlan`] says
//! when the client may be told. The other levels become modules next to [`write_plan`].

pub mod cell;
pub mod digest;
pub mod pace;
pub mod strain;
pub mod write_plan;

pub use cell::Cell;
pub use digest::digest_of;
pub use pace::Pace;
pub use strain::Strain;
pub use write_plan::{Heard, WritePlan};
