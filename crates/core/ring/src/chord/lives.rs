//! Core: which life of a peer we have met, so that nothing is believed of an earlier one.

use std::collections::{BTreeMap, VecDeque};

use crate::VirtualNode;

/// How many peers are remembered; the longest known is forgotten.
const LIVES_MAX: usize = 256;

#[derive(Debug, Default, Clone)]
pub struct Lives {
    met: BTreeMap<VirtualNode, Life>,
    order: VecDeque<VirtualNode>,
}

#[derive(Debug, Clone, Copy)]
struct Life {
    incarnation: u64,
    has_left: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// As far as we know, this life goes on.
    Current,
    /// The life that we knew is over: this is a later one.
    Reborn,
    /// A later life is known.
    Former { current: u64 },
    /// It has said that it leaves.
    HasLeft,
}

impl Lives {
    pub fn meet(&mut self, peer: VirtualNode, incarnation: u64) -> Meeting {
        let Some(life) = self.met.get_mut(&peer) else {
            self.remember(peer, Life { incarnation, has_left: false });
            return Meeting::Current;
        };
        if incarnation < life.incarnation {
            return Meeting::Former { current: life.incarnation };
        }
        if incarnation > life.incarnation {
            let reborn = !life.has_left;
            *life = Life { incarnation, has_left: false };
            return if reborn { Meeting::Reborn } else { Meeting::Current };
        }
        if life.has_left { Meeting::HasLeft } else { Meeting::Current }
    }

    pub fn leave(&mut self, peer: VirtualNode) {
        if let Some(life) = self.met.get_mut(&peer) {
            life.has_left = true;
        }
    }

    fn remember(&mut self, peer: VirtualNode, life: Life) {
        if self.order.len() == LIVES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.met.remove(&oldest);
        }
        self.met.insert(peer, life);
        self.order.push_back(peer);
    }
}
