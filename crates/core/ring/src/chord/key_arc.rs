//! Core: a half-open arc of the circle.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Point;

/// The points in (after, until], clockwise. If both are the same point, the whole circle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyArc {
    pub after: Point,
    pub until: Point,
}

impl KeyArc {
    pub const fn contains(&self, key: Point) -> bool {
        key.is_owned_by(self.after, self.until)
    }
}

impl fmt::Debug for KeyArc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:016x}, {:016x}]", self.after.0, self.until.0)
    }
}
