//! core: which requests of a route get the same cached answer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The key `cache_key`. Without it: those with the same address and query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheKeyRule {
    #[serde(default)]
    pub query: QueryRule,
    /// Requests whose values of these headers differ get answers of their own, whatever the answers' `Vary` says. Lower case.
    #[serde(default)]
    pub headers: Vec<String>,
}

/// What of the query counts. The app sees all of it in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueryRule {
    #[default]
    All,
    None,
    /// These parameters, whatever their order and whatever else there is.
    Only(Vec<String>),
}

impl CacheKeyRule {
    /// What of a query counts, in one order.
    pub fn query(&self, query: &str) -> String {
        match &self.query {
            QueryRule::All => query.to_owned(),
            QueryRule::None => String::new(),
            QueryRule::Only(names) => {
                let name_of = |pair: &&str| pair.split('=').next().unwrap_or_default().to_owned();
                let mut pairs: Vec<&str> = query.split('&').filter(|pair| names.contains(&name_of(pair))).collect();
                // Stable: values of the same name keep their order, which an app may go by.
                pairs.sort_by_key(name_of);
                pairs.join("&")
            }
        }
    }
}

impl fmt::Display for CacheKeyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.query {
            QueryRule::All => f.write_str("query all")?,
            QueryRule::None => f.write_str("query none")?,
            QueryRule::Only(names) => write!(f, "query {}", names.join(" "))?,
        }
        if self.headers.is_empty() { Ok(()) } else { write!(f, ", headers {}", self.headers.join(" ")) }
    }
}

#[cfg(test)]
mod tests;
