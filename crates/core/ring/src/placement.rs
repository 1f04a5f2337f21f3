//! Core: who holds a key, for a set of nodes that changes: one trait, four implementations, and what each costs.
//!
//! | word | rule | a join moves | load, max over mean |
//! |---|---|---|---|
//! | `modulo` | `node[H % N]` | nearly everything | even |
//! | `chord` | one random place a node, the first at or past the key | an arc | about log N |
//! | `vnodes:V` | V random places a node (Chord paper, section 6.2) | V small arcs | 1.2 with 256 |
//! | `layout` | [`Layout`]: 4096 equal arcs, agreed on, levelled | the ideal K/N | 1.00 to 1.02 |
//!
//! The first three are functions of the set of nodes (`modulo`: of their order too). The layout also depends on where things were,
//! which is how it moves so little, and why it has to be agreed on. `node[H % N]` is here to be compared with.

use std::fmt;
use std::str::FromStr;

use crate::{Member, NodeId, Point};

mod balanced;
mod measure;
mod modulo;
mod random_places;

pub use balanced::Balanced;
pub use measure::{Change, Cost, Moves, cost_of_change, peak_over_mean, spread_points};
pub use modulo::Modulo;
pub use random_places::RandomPlaces;

/// How many places a node may have.
pub const PLACES_MAX: u32 = 4096;

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlacementKind {
    Modulo,
    Chord,
    /// With this many places a node, 1 to [`PLACES_MAX`].
    VirtualNodes(u32),
    Layout,
}

/// Nodes, and who of them holds what.
pub trait Placement {
    fn kind(&self) -> PlacementKind;

    /// The nodes, each once.
    fn members(&self) -> Vec<NodeId>;

    /// Takes a node in. One that is there already changes nothing.
    fn join(&mut self, member: Member);

    /// Takes a node out, whoever it is. One that is not there changes nothing.
    fn leave(&mut self, node: NodeId);

    /// Who holds what falls on `point`, the primary first: as many different nodes as there are copies, or all nodes if they are
    /// fewer. Replaces what is in `owners`.
    fn owners(&self, point: Point, owners: &mut Vec<NodeId>);
}

impl PlacementKind {
    /// The four, with 64 virtual nodes.
    pub const fn all() -> [PlacementKind; 4] {
        [PlacementKind::Modulo, PlacementKind::Chord, PlacementKind::VirtualNodes(64), PlacementKind::Layout]
    }

    /// These nodes under this rule, each key on `copies` of them.
    pub fn place(self, members: Vec<Member>, copies: usize) -> Box<dyn Placement> {
        match self {
            PlacementKind::Modulo => Box::new(Modulo::new(members, copies)),
            PlacementKind::Chord => Box::new(RandomPlaces::new(self, 1, members, copies)),
            PlacementKind::VirtualNodes(places) => Box::new(RandomPlaces::new(self, places, members, copies)),
            PlacementKind::Layout => Box::new(Balanced::new(members, copies)),
        }
    }
}

impl fmt::Display for PlacementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlacementKind::Modulo => f.pad("modulo"),
            PlacementKind::Chord => f.pad("chord"),
            PlacementKind::VirtualNodes(places) => f.pad(&format!("vnodes:{places}")),
            PlacementKind::Layout => f.pad("layout"),
        }
    }
}

/// Why a text is no placement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no placement: it is modulo, chord, vnodes:NUMBER (1 to {PLACES_MAX}) or layout")]
pub struct ParsePlacementError(pub String);

impl FromStr for PlacementKind {
    type Err = ParsePlacementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParsePlacementError(text.to_owned());
        match text {
            "modulo" => return Ok(PlacementKind::Modulo),
            "chord" => return Ok(PlacementKind::Chord),
            "layout" => return Ok(PlacementKind::Layout),
            _ => {}
        }
        let places: u32 = text.strip_prefix("vnodes:").and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
        if (1..=PLACES_MAX).contains(&places) { Ok(PlacementKind::VirtualNodes(places)) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests;
