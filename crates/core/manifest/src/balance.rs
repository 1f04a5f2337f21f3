//! core: which instance of a service a request goes to, and what is done when it does not answer well.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::{self, parse_duration, show_duration};
use crate::guess::closest;
use crate::invalid::Invalid;
use crate::token::is_token;

/// The key `balance`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Balance {
    /// The less loaded of two that are drawn.
    #[default]
    LeastLoaded,
    RoundRobin,
    /// The same key goes to the same instance, unless that has far more to do than the others.
    Hash(HashBy),
    /// A cookie of the platform's keeps a client at its instance.
    Sticky,
}

/// What is hashed. A request without it goes to whoever is least loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashBy {
    /// The client's address.
    Client,
    /// A cookie's value.
    Cookie(String),
    /// A request header's value; lower case.
    Header(String),
    /// Path, without the query.
    Path,
}

/// The key `hedge`: a second instance is asked when the first takes long; the first answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hedge {
    /// After what 95 of 100 requests have taken lately.
    Auto,
    After(#[serde(with = "duration::as_ms")] Duration),
}

impl FromStr for Balance {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Balance, Invalid> {
        match text {
            "least_loaded" => return Ok(Balance::LeastLoaded),
            "round_robin" => return Ok(Balance::RoundRobin),
            "sticky" => return Ok(Balance::Sticky),
            _ => {}
        }
        let Some(by) = text.strip_prefix("hash:") else {
            let invalid = Invalid::new(format!("`{}` is not known", text.escape_debug()));
            return Err(invalid.help(match closest(text, ["least_loaded", "round_robin", "sticky"]) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "it can be: `least_loaded`, `round_robin`, `sticky`, `hash:client`, `hash:cookie.NAME`, \
                         `hash:header.NAME`, `hash:path`"
                    .to_owned(),
            }));
        };
        by.parse().map(Balance::Hash)
    }
}

impl FromStr for HashBy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<HashBy, Invalid> {
        match text.split_once('.') {
            None if text == "client" => Ok(HashBy::Client),
            None if text == "path" => Ok(HashBy::Path),
            Some(("cookie", name)) if is_token(name) => Ok(HashBy::Cookie(name.to_owned())),
            Some(("header", name)) if is_token(name) => Ok(HashBy::Header(name.to_ascii_lowercase())),
            _ => Err(Invalid::new(format!("`{}` is nothing to hash by", text.escape_debug()))
                .help("it can be: `hash:client`, `hash:cookie.NAME`, `hash:header.NAME`, `hash:path`")),
        }
    }
}

impl Hedge {
    /// The text of a time to wait.
    pub(crate) fn parse(text: &str) -> Result<Hedge, Invalid> {
        let after = parse_duration(text)?;
        if after.is_zero() {
            return Err(Invalid::new("it must be more than 0").help("every request would be sent twice"));
        }
        Ok(Hedge::After(after))
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Balance::LeastLoaded => f.write_str("least_loaded"),
            Balance::RoundRobin => f.write_str("round_robin"),
            Balance::Hash(by) => write!(f, "hash:{by}"),
            Balance::Sticky => f.write_str("sticky"),
        }
    }
}

impl fmt::Display for HashBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashBy::Client => f.write_str("client"),
            HashBy::Cookie(name) => write!(f, "cookie.{name}"),
            HashBy::Header(name) => write!(f, "header.{name}"),
            HashBy::Path => f.write_str("path"),
        }
    }
}

impl fmt::Display for Hedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hedge::Auto => f.write_str("true"),
            Hedge::After(after) => f.write_str(&show_duration(*after)),
        }
    }
}

#[cfg(test)]
mod tests;
