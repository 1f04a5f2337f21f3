//! Core: which of several certificates is for a server name: the exact name, else a wildcard one label above, else the default.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::certificate::Certificate;

/// Its certificate is for clients that name nobody, or somebody unknown.
const DEFAULT_LABEL: &str = "default";

/// Never changed: a change makes another one.
#[derive(Debug, Default)]
pub struct CertificateMap {
    all: Vec<Certificate>,
    exact: HashMap<String, usize>,
    /// `example.org` for `*.example.org`.
    below: HashMap<String, usize>,
    default: Option<usize>,
}

impl CertificateMap {
    /// Of two for the same name, the one that is valid longer: it is the renewed one.
    pub fn new(all: Vec<Certificate>) -> Self {
        let mut map = Self { default: default(&all), all, ..Self::default() };
        for (at, certificate) in map.all.iter().enumerate() {
            for name in &certificate.names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut map.below, parent),
                    None => (&mut map.exact, name.as_str()),
                };
                let is_better = |other: &usize| certificate.valid_until > map.all[*other].valid_until;
                if names.get(name).is_none_or(is_better) {
                    names.insert(name.to_owned(), at);
                }
            }
        }
        map
    }

    /// For a name in lower case.
    pub fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        // A wildcard is for one label (RFC 9525, 6.3).
        let below = || self.below.get(name.split_once('.')?.1);
        self.exact.get(name).or_else(below).map(|at| &self.all[*at].key)
    }

    pub fn default_one(&self) -> Option<&Arc<CertifiedKey>> {
        self.default.map(|at| &self.all[at].key)
    }

    pub fn all(&self) -> &[Certificate] {
        &self.all
    }
}

/// The one that is called so, else the first.
fn default(all: &[Certificate]) -> Option<usize> {
    let named = all.iter().position(|certificate| &*certificate.label == DEFAULT_LABEL);
    named.or(if all.is_empty() { None } else { Some(0) })
}

#[cfg(test)]
mod tests;
