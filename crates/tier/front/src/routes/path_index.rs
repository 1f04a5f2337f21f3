//! Core: the routes for a path, without looking at the others: a tree of path segments, walked down once.
//!
//! A node stands for the segments from the root to it. Routes for that path alone are its `exact` ones, those for all below it
//! its `below` ones; so what matches a path is the `exact` ones of the node that it ends at, then the `below` ones of that node
//! and of all nodes above it, the deepest first: that is the order in which routes are tried. The walk costs a hash for each
//! segment as far as there are routes, whatever their number.
//!
//! Children are hashed by FNV-1a: the keys are the routes' own, strangers only look up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::host_index::HostIndex;

#[derive(Debug)]
pub struct PathIndex {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    parent: u32,
    children: HashMap<Box<str>, u32, BuildHasherDefault<Fnv>>,
    exact: ByHost,
    below: ByHost,
}

/// Numbers of routes, the first to be tried first.
#[derive(Debug, Default)]
struct ByHost {
    any: Vec<u32>,
    hosts: Option<Box<HostIndex<Vec<u32>>>>,
}

/// Goes through the numbers of the routes for a path and a host.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    node: u32,
    /// Among those for just this path.
    is_exact: bool,
    /// Which of the node's lists, and where in it.
    list: usize,
    at: usize,
}

impl Default for PathIndex {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl PathIndex {
    /// Adds a route. What is to be tried first must be added first, as far as host and path are the same.
    pub fn add(&mut self, path: &str, is_prefix: bool, host: Option<&str>, number: u32) {
        let mut node = 0;
        for segment in path.split('/') {
            node = self.child(node, segment);
        }
        let node = &mut self.nodes[node as usize];
        let numbers = if is_prefix { &mut node.below } else { &mut node.exact };
        numbers.add(host, number);
    }

    fn child(&mut self, parent: u32, segment: &str) -> u32 {
        if let Some(child) = self.nodes[parent as usize].children.get(segment) {
            return *child;
        }
        let child = self.nodes.len() as u32;
        self.nodes.push(Node { parent, ..Node::default() });
        self.nodes[parent as usize].children.insert(segment.into(), child);
        child
    }

    pub fn walk(&self, path: &str) -> Walk {
        let mut node = 0;
        let mut is_exact = true;
        for segment in path.split('/') {
            let Some(child) = self.nodes[node as usize].children.get(segment) else {
                is_exact = false;
                break;
            };
            node = *child;
        }
        Walk { node, is_exact, list: 0, at: 0 }
    }

    /// The next number; `host` is lower case and always the same.
    pub fn next(&self, walk: &mut Walk, host: &str) -> Option<u32> {
        loop {
            let node = &self.nodes[walk.node as usize];
            let numbers = if walk.is_exact { &node.exact } else { &node.below };
            match numbers.list(host, walk.list) {
                Some(list) => {
                    if let Some(number) = list.get(walk.at) {
                        walk.at += 1;
                        return Some(*number);
                    }
                    *walk = Walk { list: walk.list + 1, at: 0, ..*walk };
                }
                None if walk.is_exact => *walk = Walk { is_exact: false, list: 0, at: 0, ..*walk },
                None if walk.node == 0 => return None,
                None => *walk = Walk { node: node.parent, list: 0, at: 0, ..*walk },
            }
        }
    }
}

impl ByHost {
    fn add(&mut self, host: Option<&str>, number: u32) {
        match host {
            None => self.any.push(number),
            Some(host) => self.hosts.get_or_insert_default().slot(host).or_default().push(number),
        }
    }

    /// The lists that hold for a host, one after the other: for just this one, for those below a name, for any.
    fn list(&self, host: &str, number: usize) -> Option<&[u32]> {
        let Some(hosts) = &self.hosts else {
            return (number == 0).then_some(&self.any);
        };
        hosts.matching(host).map(Vec::as_slice).chain(std::iter::once(self.any.as_slice())).nth(number)
    }
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The table takes seven bits from the top, which FNV mixes least.
        self.0 ^ self.0.rotate_left(32)
    }
}
