//! core: which of the routes that match a request is tried first.

use std::cmp::Reverse;

use crate::route::Route;

/// Greatest first; of equal ones that which stands first in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence {
    /// The longest path, and exact before prefix.
    path: (usize, bool),
    host: HostRank,
    headers: usize,
    /// Few methods before many, and any method last.
    methods: Reverse<usize>,
}

/// This host, then those below a name (the longest first), then any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostRank {
    Any,
    Below(usize),
    Exact,
}

impl Route {
    pub fn precedence(&self) -> Precedence {
        let host = match self.host.as_deref() {
            None => HostRank::Any,
            Some(host) if host.starts_with('*') => HostRank::Below(host.len()),
            Some(_) => HostRank::Exact,
        };
        Precedence {
            path: self.path.specificity(),
            host,
            headers: self.match_headers.len(),
            methods: Reverse(if self.methods.is_empty() { usize::MAX } else { self.methods.len() }),
        }
    }
}

#[cfg(test)]
mod tests;
