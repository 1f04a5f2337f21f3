//! Chord maintenance with atomic reads, for the model checker: every order of joins, failures and maintenance steps of a few nodes.
//! What is decided is decided by the functions that the node runs (`chord::place`, `stabilise`, `rectify`, `young`). An answer is
//! read and acted on in one step, which is what `Busy` buys at message level.

use ringway_ring::Point;
use ringway_ring::chord::place::{Placed, list_of_joiner, place};
use ringway_ring::chord::rectify::{Rectify, rectify};
use ringway_ring::chord::stabilise::{list_behind, list_without, nearer};
use ringway_ring::chord::young::{list_with, nearer_member};
use ringway_ring::router::Peer;
use stateright::{Model, Property};

/// The length L of lists.
const L: usize = 2;
pub const IDS_MAX: usize = 6;

pub const REPAIRS: &str = "fair repair from here reaches the ideal ring";
pub const ONE_RING: &str = "one ordered ring";

/// In order on the circle; how far apart does not matter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u8);

impl Peer for Id {
    fn point(&self) -> Point {
        Point(u64::from(self.0) << 56)
    }

    fn is_same_node(&self, other: &Self) -> bool {
        self == other
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    predecessor: Option<Id>,
    list: [Option<Id>; L],
    /// Who is to be asked in the second step.
    pending: Option<Id>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "after {:?} before {:?}", self.predecessor, self.list())?;
        self.pending.map_or(Ok(()), |pending| write!(f, " asking {pending:?}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ring {
    nodes: [Option<Node>; IDS_MAX],
    /// How many there are: the same in all states of a model.
    ids: u8,
    events_left: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Join {
        new: Id,
        behind: Id,
    },
    Fail(Id),
    FirstStep(Id),
    SecondStep(Id),
    Notify {
        to: Id,
        from: Id,
    },
    /// The published protocol only.
    CheckPredecessor(Id),
    /// Gossip shows this member, and it answers.
    Hear {
        node: Id,
        member: Id,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// SIGCOMM 2001 with the successor list of the technical report: a joiner has one successor, the predecessor of the successor
    /// is adopted unasked.
    Published,
    Corrected,
    /// Corrected, and the rule for young rings.
    WithGossip,
}

#[derive(Clone, Debug)]
pub struct Chord {
    pub protocol: Protocol,
    pub ids: u8,
    pub events: u8,
    /// With how many members rings begin.
    pub begins_with: std::ops::RangeInclusive<usize>,
    /// No failure leaves fewer than L + 1 members that nobody skips: the assumption of the proof.
    pub assumes_principals: bool,
    /// No failure leaves a member without a live successor: the assumption of both papers.
    pub assumes_live_successor: bool,
}

impl Node {
    fn new(predecessor: Option<Id>, list: &[Id]) -> Self {
        let mut node = Self { predecessor, list: [None; L], pending: None };
        node.set_list(list);
        node
    }

    fn list(&self) -> Vec<Id> {
        self.list.iter().copied().flatten().collect()
    }

    fn set_list(&mut self, list: &[Id]) {
        self.list = std::array::from_fn(|at| list.get(at).copied());
    }
}

impl Ring {
    fn ideal(members: &[Id], ids: u8, events_left: u8) -> Self {
        let mut ring = Self { nodes: [None; IDS_MAX], ids, events_left };
        let count = members.len();
        for (at, id) in members.iter().enumerate() {
            let around = |steps: usize| members[(at + steps) % count];
            let list: Vec<Id> = (1..count).map(around).take(L).collect();
            ring.nodes[usize::from(id.0)] = Some(Node::new((count > 1).then(|| around(count - 1)), &list));
        }
        ring
    }

    fn members(&self) -> impl Iterator<Item = (Id, &Node)> {
        self.nodes.iter().enumerate().filter_map(|(id, node)| Some((Id(id as u8), node.as_ref()?)))
    }

    fn ids(&self) -> Vec<Id> {
        self.members().map(|(id, _)| id).collect()
    }

    fn get(&self, id: Id) -> Option<&Node> {
        self.nodes[usize::from(id.0)].as_ref()
    }

    fn is_live(&self, id: Id) -> bool {
        self.get(id).is_some()
    }

    /// The first live entry of a list.
    fn successor(&self, node: &Node) -> Option<Id> {
        node.list.iter().copied().flatten().find(|id| self.is_live(*id))
    }

    /// The members sorted clockwise from `own`, without itself.
    fn clockwise(&self, own: Id) -> Vec<Id> {
        let mut ids = self.ids();
        ids.retain(|id| *id != own);
        ids.sort_by_key(|id| own.point().distance_to(id.point()));
        ids
    }

    fn is_ideal(&self) -> bool {
        *self == Ring::ideal(&self.ids(), self.ids, self.events_left)
    }

    pub fn everybody_has_a_live_successor(&self) -> bool {
        self.members().count() == 1 || self.members().all(|(_, node)| self.successor(node).is_some())
    }

    /// Following first live successors leads everybody into one cycle, which goes round once.
    pub fn is_one_ordered_ring(&self) -> bool {
        let count = self.members().count();
        let follow = |id: Id| self.get(id).and_then(|node| self.successor(node));
        let Some(first) = self.ids().first().copied() else { return false };
        if count == 1 {
            return true;
        }
        let Some(start) = (0..count).try_fold(first, |id, _| follow(id)) else { return false };
        let (mut cycle, mut at) = (vec![start], start);
        while let Some(next) = follow(at).filter(|next| *next != start) {
            cycle.push(next);
            at = next;
        }
        let turned: u128 = cycle.iter().map(|id| u128::from(turn(*id, follow(*id)))).sum();
        let leads_here = |id: Id| (0..count).try_fold(id, |id, _| follow(id)).is_some_and(|end| cycle.contains(&end));
        turned == 1 << 64 && self.ids().into_iter().all(leads_here)
    }

    /// Members that no member's extended list (itself, then its list) jumps over.
    fn principals(&self) -> usize {
        let is_skipped = |id: Id| self.members().any(|(own, node)| skips(own, node, id));
        self.members().filter(|(id, _)| !is_skipped(*id)).count()
    }
}

fn turn(from: Id, to: Option<Id>) -> u64 {
    to.map_or(0, |to| from.point().distance_to(to.point()))
}

fn skips(own: Id, node: &Node, id: Id) -> bool {
    let mut before = own;
    node.list.iter().flatten().any(|entry| {
        let is_between = id.point().is_between(before.point(), entry.point());
        before = *entry;
        is_between
    })
}

impl Chord {
    fn all_ids(&self) -> impl Iterator<Item = Id> + use<> {
        (0..self.ids).map(Id)
    }

    fn join(&self, ring: &Ring, new: Id, behind: Id) -> Option<Node> {
        let member = ring.get(behind)?;
        let mut list = member.list();
        if self.protocol == Protocol::Published {
            // Its lookup leads to a node that answers.
            list.retain(|id| ring.is_live(*id));
        }
        // Whoever has lost everybody is not a ring of one: it is seeking, and says `Busy`.
        let is_lost = member.list().is_empty() && ring.members().count() > 1;
        if is_lost || ring.is_live(new) || place(new, behind, member.predecessor, &list) != Placed::Here {
            return None;
        }
        match self.protocol {
            Protocol::Published => Some(Node::new(None, &[list.first().copied().unwrap_or(behind)])),
            Protocol::Corrected | Protocol::WithGossip => {
                Some(Node::new(Some(behind), &list_of_joiner(new, behind, &list, L)))
            }
        }
    }

    fn may_fail(&self, ring: &Ring, id: Id) -> bool {
        let mut without = *ring;
        without.nodes[usize::from(id.0)] = None;
        let live = !self.assumes_live_successor || without.everybody_has_a_live_successor();
        without.members().next().is_some() && live && (!self.assumes_principals || without.principals() > L)
    }

    fn first_step(&self, ring: &Ring, own: Id) -> Option<Node> {
        let mut node = *ring.get(own)?;
        let list = node.list();
        let Some(head) = list.first().copied() else { return self.first_step_alone(ring, own, node) };
        let Some(its) = ring.get(head) else {
            node.set_list(&list_without(&list, head));
            return Some(node);
        };
        node.set_list(&list_behind(own, head, &its.list(), L));
        node.pending = nearer(own, head, its.predecessor);
        Some(node)
    }

    /// Without a list, the predecessor is the successor, as in a ring of two. The published protocol knows this for a new ring only.
    fn first_step_alone(&self, ring: &Ring, own: Id, mut node: Node) -> Option<Node> {
        let head = node.predecessor.filter(|_| self.protocol != Protocol::Published)?;
        match ring.get(head) {
            Some(its) => node.set_list(&list_behind(own, head, &its.list(), L)),
            None => node.predecessor = None,
        }
        Some(node)
    }

    fn second_step(&self, ring: &Ring, own: Id) -> Option<Node> {
        let mut node = *ring.get(own)?;
        let peer = node.pending.take()?;
        match (self.protocol, ring.get(peer)) {
            (Protocol::Published, _) => node.set_list(&list_behind(own, peer, &node.list(), L)),
            (_, Some(its)) => node.set_list(&list_behind(own, peer, &its.list(), L)),
            (_, None) => {}
        }
        Some(node)
    }

    fn notify(&self, ring: &Ring, to: Id, from: Id) -> Option<Node> {
        let mut node = *ring.get(to)?;
        if ring.get(from)?.list[0] != Some(to) {
            return None;
        }
        let is_dead = node.predecessor.is_some_and(|predecessor| !ring.is_live(predecessor));
        match rectify(to, node.predecessor, from) {
            Rectify::Adopt => node.predecessor = Some(from),
            Rectify::Check if is_dead && self.protocol != Protocol::Published => node.predecessor = Some(from),
            Rectify::Known | Rectify::Check => {}
        }
        Some(node)
    }

    fn check_predecessor(&self, ring: &Ring, own: Id) -> Option<Node> {
        let mut node = *ring.get(own)?;
        node.predecessor = node.predecessor.filter(|predecessor| ring.is_live(*predecessor));
        Some(node)
    }

    /// Any part of the table may have come: here it is one member. A nearer one is adopted with its list, another put in its place.
    fn hear(&self, ring: &Ring, own: Id, member: Id) -> Option<Node> {
        let mut node = *ring.get(own)?;
        let list = node.list();
        let its = ring.get(member).filter(|_| member != own)?;
        match nearer_member(own, list.first().copied(), &[member]) {
            Some(_) => node.set_list(&list_behind(own, member, &its.list(), L)),
            None => node.set_list(&list_with(own, &list, member, L)),
        }
        Some(node)
    }

    /// Everybody does all its maintenance in turn, and nothing else happens: does the ring become the ideal one?
    fn repairs(&self, ring: &Ring) -> bool {
        let mut ring = *ring;
        for _ in 0..4 * IDS_MAX {
            if ring.is_ideal() {
                return true;
            }
            for own in ring.ids() {
                self.maintain(&mut ring, own);
            }
        }
        false
    }

    fn maintain(&self, ring: &mut Ring, own: Id) {
        if self.protocol == Protocol::WithGossip {
            for member in ring.clockwise(own) {
                self.apply(ring, Action::Hear { node: own, member });
            }
        }
        if self.protocol == Protocol::Published {
            self.apply(ring, Action::CheckPredecessor(own));
        }
        for _ in 0..L {
            self.apply(ring, Action::FirstStep(own));
        }
        self.apply(ring, Action::SecondStep(own));
        if let Some(to) = ring.get(own).and_then(|node| node.list[0]) {
            self.apply(ring, Action::Notify { to, from: own });
        }
    }

    fn apply(&self, ring: &mut Ring, action: Action) {
        if let Some((id, node)) = self.outcome(ring, action) {
            ring.nodes[usize::from(id.0)] = Some(node);
        }
    }

    /// Who changes, and into what.
    fn outcome(&self, ring: &Ring, action: Action) -> Option<(Id, Node)> {
        let (id, node) = match action {
            Action::Join { new, behind } => (new, self.join(ring, new, behind)),
            Action::FirstStep(id) => (id, self.first_step(ring, id)),
            Action::SecondStep(id) => (id, self.second_step(ring, id)),
            Action::Notify { to, from } => (to, self.notify(ring, to, from)),
            Action::CheckPredecessor(id) => (id, self.check_predecessor(ring, id)),
            Action::Hear { node, member } => (node, self.hear(ring, node, member)),
            Action::Fail(_) => return None,
        };
        Some((id, node?))
    }

    fn maintenance(&self, ring: &Ring, own: Id, node: &Node, actions: &mut Vec<Action>) {
        actions.push(Action::FirstStep(own));
        if node.pending.is_some() {
            actions.push(Action::SecondStep(own));
        }
        if let Some(to) = node.list[0] {
            actions.push(Action::Notify { to, from: own });
        }
        match self.protocol {
            Protocol::Published => actions.push(Action::CheckPredecessor(own)),
            Protocol::Corrected => {}
            Protocol::WithGossip => {
                actions.extend(ring.ids().into_iter().map(|member| Action::Hear { node: own, member }))
            }
        }
    }
}

impl Model for Chord {
    type State = Ring;
    type Action = Action;

    fn init_states(&self) -> Vec<Ring> {
        let subsets = (1_u32..1 << self.ids).filter(|set| self.begins_with.contains(&(set.count_ones() as usize)));
        let members = subsets.map(|set| self.all_ids().filter(|id| set & (1 << id.0) != 0).collect::<Vec<Id>>());
        members.map(|members| Ring::ideal(&members, self.ids, self.events)).collect()
    }

    fn actions(&self, ring: &Ring, actions: &mut Vec<Action>) {
        for (own, node) in ring.members() {
            self.maintenance(ring, own, node, actions);
        }
        if ring.events_left == 0 {
            return;
        }
        for new in self.all_ids().filter(|id| !ring.is_live(*id)) {
            actions.extend(ring.members().map(|(behind, _)| Action::Join { new, behind }));
        }
        actions.extend(ring.members().filter(|(id, _)| self.may_fail(ring, *id)).map(|(id, _)| Action::Fail(id)));
    }

    fn next_state(&self, ring: &Ring, action: Action) -> Option<Ring> {
        let mut next = *ring;
        match action {
            Action::Fail(id) => next.nodes[usize::from(id.0)] = None,
            _ => {
                let (id, node) = self.outcome(ring, action)?;
                next.nodes[usize::from(id.0)] = Some(node);
            }
        }
        next.events_left -= u8::from(matches!(action, Action::Fail(_) | Action::Join { .. }));
        (next != *ring).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![Property::always(REPAIRS, |chord: &Chord, ring| chord.repairs(ring))];
        if self.assumes_live_successor {
            properties.push(Property::always("everybody has a live successor", |_, ring: &Ring| {
                ring.everybody_has_a_live_successor()
            }));
            properties.push(Property::always(ONE_RING, |_, ring: &Ring| ring.is_one_ordered_ring()));
        }
        if self.assumes_principals {
            properties.push(Property::always("at least L + 1 principals", |_, ring: &Ring| ring.principals() > L));
        }
        properties
    }
}

/// Rotating all identifiers changes nothing: one ring stands for all its rotations.
pub fn representative(ring: &Ring) -> Ring {
    (0..ring.ids).map(|by| rotated(ring, by)).min().unwrap_or(*ring)
}

fn rotated(ring: &Ring, by: u8) -> Ring {
    let turn = |id: Id| Id((id.0 + by) % ring.ids);
    let mut rotated = Ring { nodes: [None; IDS_MAX], ..*ring };
    for (id, node) in ring.members() {
        let Node { predecessor, list, pending } = *node;
        let node =
            Node { predecessor: predecessor.map(turn), list: list.map(|id| id.map(turn)), pending: pending.map(turn) };
        rotated.nodes[usize::from(turn(id).0)] = Some(node);
    }
    rotated
}
