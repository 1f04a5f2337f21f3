//! Core: a layout in the making: vacancies are filled, copies levelled, primaries levelled, each with as little change as can be.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Member;
use crate::{NodeId, PARTITION_COUNT, Partition};

/// Nodes are indices into the sorted members.
pub(super) struct Draft<'a> {
    members: &'a [Member],
    /// The zone of each member, as a number: they are compared often.
    zones: Vec<u16>,
    replicas: usize,
    rows: Vec<Vec<u16>>,
    /// How many of a row's nodes, from its beginning, held it before.
    kept: Vec<usize>,
    /// The row has lost its primary, or never had one.
    orphaned: Vec<bool>,
    held: Vec<usize>,
    quota: Vec<usize>,
    primary: Vec<usize>,
    primary_quota: Vec<usize>,
    /// How many rows each two members share. If two shared all of theirs, neither could take over when the other goes.
    shared: Vec<u16>,
}

/// What a levelling pass may do, from the best to what is always possible.
#[derive(Clone, Copy)]
struct Freedom {
    /// Two nodes may share more rows than their part.
    crowding: bool,
    /// A row's primary may be replaced though neither node's number of primaries asks for it.
    primaries: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn keep(previous: impl Fn(Partition) -> Vec<NodeId>, members: &'a [Member], replicas: usize) -> Self {
        let index: BTreeMap<NodeId, u16> = members.iter().zip(0..).map(|(member, at)| (member.id, at)).collect();
        let count = members.len();
        let mut draft = Self {
            members,
            zones: zone_numbers(members),
            replicas,
            rows: Vec::with_capacity(PARTITION_COUNT),
            kept: Vec::with_capacity(PARTITION_COUNT),
            orphaned: Vec::with_capacity(PARTITION_COUNT),
            held: vec![0; count],
            quota: quotas(members, PARTITION_COUNT * replicas, PARTITION_COUNT),
            primary: vec![0; count],
            primary_quota: quotas(members, PARTITION_COUNT, PARTITION_COUNT),
            shared: vec![0; count * count],
        };
        for (row, partition) in Partition::all().enumerate() {
            let owners = previous(partition);
            draft.orphaned.push(owners.first().is_none_or(|primary| !index.contains_key(primary)));
            draft.rows.push(Vec::with_capacity(replicas));
            let nodes = owners.iter().filter_map(|owner| index.get(owner).copied()).take(replicas);
            nodes.for_each(|node| draft.seat(row, node));
            draft.kept.push(draft.rows[row].len());
            if !draft.orphaned[row] && replicas > 0 {
                draft.primary[usize::from(draft.rows[row][0])] += 1;
            }
        }
        draft
    }

    pub(super) fn deal(&mut self) {
        self.fill();
        self.choose_primaries();
        for (crowding, primaries) in [(false, false), (true, false), (true, true)] {
            self.level(Freedom { crowding, primaries });
        }
        self.level_primaries();
    }

    pub(super) fn into_rows(self) -> Vec<Vec<u16>> {
        self.rows
    }

    fn nodes(&self) -> impl Iterator<Item = u16> + use<> {
        0..self.members.len() as u16
    }

    fn room(&self, node: u16) -> isize {
        self.quota[usize::from(node)] as isize - self.held[usize::from(node)] as isize
    }

    fn primary_room(&self, node: u16) -> isize {
        self.primary_quota[usize::from(node)] as isize - self.primary[usize::from(node)] as isize
    }

    /// Puts a node at the end of a row.
    fn seat(&mut self, row: usize, node: u16) {
        self.count_shared(row, node, 1);
        self.rows[row].push(node);
        self.held[usize::from(node)] += 1;
    }

    /// Puts a node in the place of another.
    fn replace(&mut self, row: usize, place: usize, taker: u16) {
        let giver = self.rows[row][place];
        self.count_shared(row, giver, -1);
        self.rows[row][place] = taker;
        self.count_shared(row, taker, 1);
        self.held[usize::from(giver)] -= 1;
        self.held[usize::from(taker)] += 1;
    }

    /// Counts whom the node meets in a row.
    fn count_shared(&mut self, row: usize, node: u16, change: i16) {
        let count = self.members.len();
        for other in self.rows[row].iter().filter(|other| **other != node) {
            for pair in
                [usize::from(node) * count + usize::from(*other), usize::from(*other) * count + usize::from(node)]
            {
                self.shared[pair] = self.shared[pair].saturating_add_signed(change);
            }
        }
    }

    fn shared(&self, node: u16, other: u16) -> usize {
        usize::from(self.shared[usize::from(node) * self.members.len() + usize::from(other)])
    }

    /// How many other holders of the row are in the zone of `node`, not counting `without`.
    fn zone_clashes(&self, row: usize, node: u16, without: Option<u16>) -> usize {
        let zone = self.zones[usize::from(node)];
        self.rows[row]
            .iter()
            .filter(|other| Some(**other) != without && **other != node && self.zones[usize::from(**other)] == zone)
            .count()
    }
}

/// Vacancies.
impl Draft<'_> {
    /// Gives every vacancy to a node below its quota: the one that shares the fewest rows with those who are there, then the one
    /// that is furthest below.
    fn fill(&mut self) {
        let mut filled: Vec<(usize, usize)> = Vec::new();
        for row in spread_order() {
            while self.rows[row].len() < self.replicas {
                let Some(mut node) = self.neediest_for(row) else { break };
                if self.room(node) <= 0 {
                    node = self.exchange(row, node, &filled).unwrap_or(node);
                }
                filled.push((row, self.rows[row].len()));
                self.seat(row, node);
            }
        }
    }

    fn neediest_for(&self, row: usize) -> Option<u16> {
        self.nodes().filter(|node| !self.rows[row].contains(node)).min_by_key(|node| {
            let room = self.room(*node);
            let met: usize = self.rows[row].iter().map(|other| self.shared(*node, *other)).sum();
            (self.zone_clashes(row, *node, None), room <= 0, met, Reverse(room), *node)
        })
    }

    /// The nodes that still have room all hold this row, so `node` was to take it although it has none. Instead, along the
    /// shortest chain that there is: somebody else takes this row and passes on a vacancy that it was given before, and so on
    /// until it comes to one who has room. Nothing moves that would not have moved anyway. Says who takes the row.
    fn exchange(&mut self, row: usize, node: u16, filled: &[(usize, usize)]) -> Option<u16> {
        let chain = self.chain_to_room(row, node, filled)?;
        for (giver, row, taker) in &chain {
            let place = self.rows[*row].iter().position(|node| node == giver).expect("a giver holds the row");
            self.replace(*row, place, *taker);
        }
        chain.last().map(|(first, ..)| *first)
    }

    fn chain_to_room(&self, row: usize, node: u16, filled: &[(usize, usize)]) -> Option<Vec<(u16, usize, u16)>> {
        let mut given: Vec<Vec<usize>> = vec![Vec::new(); self.members.len()];
        filled.iter().for_each(|(row, place)| given[usize::from(self.rows[*row][*place])].push(*row));
        let clashes = self.zone_clashes(row, node, None);
        let can_take = |taker: &u16| !self.rows[row].contains(taker) && self.zone_clashes(row, *taker, None) <= clashes;
        let mut reached: Vec<Reached> = vec![Reached::No; self.members.len()];
        let mut queue: VecDeque<u16> = self.nodes().filter(can_take).collect();
        queue.iter().for_each(|taker| reached[usize::from(*taker)] = Reached::Start);
        while let Some(giver) = queue.pop_front() {
            for row in &given[usize::from(giver)] {
                for taker in self.takers_of(*row, giver) {
                    if reached[usize::from(taker)] != Reached::No {
                        continue;
                    }
                    reached[usize::from(taker)] = Reached::Over(giver, *row);
                    if self.room(taker) > 0 {
                        return Some(unwind(&reached, taker));
                    }
                    queue.push_back(taker);
                }
            }
        }
        None
    }

    /// Who can hold a row instead of `giver`, without more replicas in one zone.
    fn takers_of(&self, row: usize, giver: u16) -> impl Iterator<Item = u16> + '_ {
        let clashes = self.zone_clashes(row, giver, Some(giver));
        self.nodes()
            .filter(move |node| !self.rows[row].contains(node) && self.zone_clashes(row, *node, Some(giver)) <= clashes)
    }

    /// Rows without a primary get one, of those who held them before if anybody did: the one with the fewest to its quota.
    fn choose_primaries(&mut self) {
        for row in spread_order().filter(|row| self.orphaned[*row]) {
            let choice = if self.kept[row] > 0 { self.kept[row] } else { self.rows[row].len() };
            let best = (0..choice).max_by_key(|place| (self.primary_room(self.rows[row][*place]), Reverse(*place)));
            let Some(place) = best else { continue };
            self.rows[row].swap(0, place);
            self.primary[usize::from(self.rows[row][0])] += 1;
        }
    }
}

/// Levelling.
impl Draft<'_> {
    /// Moves single copies from nodes above their quota to nodes below it.
    fn level(&mut self, freedom: Freedom) {
        for row in spread_order() {
            for place in 0..self.rows[row].len() {
                let giver = self.rows[row][place];
                if self.room(giver) >= 0 {
                    continue;
                }
                let Some(taker) = self.taker_for(row, place, freedom) else { continue };
                self.replace(row, place, taker);
                if place == 0 {
                    self.primary[usize::from(giver)] -= 1;
                    self.primary[usize::from(taker)] += 1;
                }
            }
        }
    }

    fn taker_for(&self, row: usize, place: usize, freedom: Freedom) -> Option<u16> {
        let giver = self.rows[row][place];
        if place == 0 && !freedom.primaries && self.primary_room(giver) >= 0 {
            return None;
        }
        self.takers_of(row, giver)
            .filter(|node| self.room(*node) > 0)
            .filter(|node| place > 0 || freedom.primaries || self.primary_room(*node) > 0)
            .filter(|node| freedom.crowding || !self.is_crowded(row, giver, *node))
            .max_by_key(|node| (self.room(*node), Reverse(*node)))
    }

    /// Whether the taker shares its part of rows already with somebody of this row.
    fn is_crowded(&self, row: usize, giver: u16, taker: u16) -> bool {
        let quota = self.quota[usize::from(taker)];
        let others = (PARTITION_COUNT * self.replicas).saturating_sub(quota).max(1);
        self.rows[row].iter().filter(|other| **other != giver).any(|other| {
            let part = (quota * (self.replicas - 1) * self.quota[usize::from(*other)]).div_ceil(others);
            self.shared(taker, *other) >= part
        })
    }

    /// Puts primaries where they are even. Only the order of a row changes, so no copy moves.
    fn level_primaries(&mut self) {
        let mut rows_of = self.rows_by_primary();
        while let Some(path) = self.path_from_surplus(&rows_of) {
            for (from, row, to) in path {
                let place =
                    self.rows[row].iter().position(|node| *node == to).expect("a path goes through holders of the row");
                self.rows[row].swap(0, place);
                rows_of[usize::from(from)].remove(&row);
                rows_of[usize::from(to)].insert(row);
                self.primary[usize::from(from)] -= 1;
                self.primary[usize::from(to)] += 1;
            }
        }
    }

    /// A shortest chain of hand-overs (who, partition, to whom) from a node with too many primaries to one with too few.
    fn path_from_surplus(&self, rows_of: &[BTreeSet<usize>]) -> Option<Vec<(u16, usize, u16)>> {
        let mut reached: Vec<Reached> = vec![Reached::No; self.members.len()];
        let mut queue: VecDeque<u16> = self.nodes().filter(|node| self.primary_room(*node) < 0).collect();
        queue.iter().for_each(|node| reached[usize::from(*node)] = Reached::Start);
        while let Some(node) = queue.pop_front() {
            for row in &rows_of[usize::from(node)] {
                for other in &self.rows[*row][1..] {
                    if reached[usize::from(*other)] != Reached::No {
                        continue;
                    }
                    reached[usize::from(*other)] = Reached::Over(node, *row);
                    if self.primary_room(*other) > 0 {
                        return Some(unwind(&reached, *other));
                    }
                    queue.push_back(*other);
                }
            }
        }
        None
    }

    fn rows_by_primary(&self) -> Vec<BTreeSet<usize>> {
        let mut rows_of = vec![BTreeSet::new(); self.members.len()];
        for (at, row) in self.rows.iter().enumerate() {
            rows_of[usize::from(row[0])].insert(at);
        }
        rows_of
    }
}

fn zone_numbers(members: &[Member]) -> Vec<u16> {
    let zones: BTreeSet<&str> = members.iter().map(|member| member.zone.as_str()).collect();
    let numbers: BTreeMap<&str, u16> = zones.into_iter().zip(0..).collect();
    members.iter().map(|member| numbers[member.zone.as_str()]).collect()
}

/// How a search for a chain came to a node: by handing a row over, from whom.
#[derive(Clone, Copy, PartialEq)]
enum Reached {
    No,
    Start,
    Over(u16, usize),
}

/// The chain to `end`, its last link first.
fn unwind(reached: &[Reached], end: u16) -> Vec<(u16, usize, u16)> {
    let mut chain = Vec::new();
    let mut at = end;
    while let Reached::Over(from, row) = reached[usize::from(at)] {
        chain.push((from, row, at));
        at = from;
    }
    chain
}

/// `total` split by capacity (largest remainder), nobody above `cap_each`: what does not fit goes to the others.
fn quotas(members: &[Member], total: usize, cap_each: usize) -> Vec<usize> {
    let mut quota = vec![0; members.len()];
    let mut open: BTreeSet<usize> = (0..members.len()).collect();
    let mut left = total;
    while left > 0 && !open.is_empty() {
        let weight: u64 = open.iter().map(|at| u64::from(members[*at].capacity.max(1))).sum();
        let share = |at: usize| left as u64 * u64::from(members[at].capacity.max(1));
        let full: Vec<usize> = open.iter().copied().filter(|at| share(*at) / weight >= cap_each as u64).collect();
        if full.is_empty() {
            let mut by_remainder: Vec<usize> = open.iter().copied().collect();
            by_remainder.sort_by_key(|at| (std::cmp::Reverse(share(*at) % weight), *at));
            by_remainder.iter().for_each(|at| quota[*at] = (share(*at) / weight) as usize);
            let given: usize = by_remainder.iter().map(|at| quota[*at]).sum();
            by_remainder.iter().take(left - given).for_each(|at| quota[*at] += 1);
            return quota;
        }
        for at in full {
            quota[at] = cap_each;
            left -= cap_each.min(left);
            open.remove(&at);
        }
    }
    quota
}

/// All rows in bit-reversed order, so that what moves first is spread around the ring.
fn spread_order() -> impl Iterator<Item = usize> {
    const BITS: u32 = PARTITION_COUNT.trailing_zeros();
    (0..PARTITION_COUNT as u32).map(|row| (row.reverse_bits() >> (32 - BITS)) as usize)
}
