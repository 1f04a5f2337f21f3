//! Core: what belongs to a host: by its exact name, else by a name that it is below.

use std::borrow::Cow;
use std::collections::HashMap;

/// Looking up costs a hash for each label of the host at most, however many there are.
#[derive(Debug)]
pub struct HostIndex<T> {
    exact: HashMap<Box<str>, T>,
    /// `.example.org` for every name below it.
    below: HashMap<Box<str>, T>,
}

impl<T> Default for HostIndex<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), below: HashMap::new() }
    }
}

impl<T> HostIndex<T> {
    /// The slot for `shop.example.org` or `*.example.org`, in any case.
    pub fn slot(&mut self, pattern: &str) -> std::collections::hash_map::Entry<'_, Box<str>, T> {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('*') {
            Some(suffix) => self.below.entry(suffix.into()),
            None => self.exact.entry(pattern.into()),
        }
    }

    /// What matches a host (lower case): the exact name first, then the longest name that it is below.
    pub fn matching(&self, host: &str) -> impl Iterator<Item = &T> {
        let exact = self.exact.get(host).into_iter();
        let below = if self.below.is_empty() { "" } else { host };
        // Something must stand before the dot.
        let suffixes = below.match_indices('.').filter(|(at, _)| *at > 0).map(|(at, _)| &below[at..]);
        exact.chain(suffixes.filter_map(|suffix| self.below.get(suffix)))
    }

    pub fn is_exact(&self, host: &str) -> bool {
        self.exact.contains_key(host)
    }
}

pub fn lower(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}
