//! core: how many requests of whom a route takes in a second: a token bucket each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;
use crate::token::is_token;

/// The keys `requests_per_second`, `burst` and `per`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    pub per_second: u32,
    /// How many may come at once after a pause.
    pub burst: u32,
    pub per: Per,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Per {
    /// One address; of IPv6, one /64.
    #[default]
    Client,
    /// All of the route.
    Route,
    /// Those with the same value of a request header; those without it by client.
    Header(String),
}

impl RateLimit {
    pub const PER_SECOND_MAX: u32 = 10_000_000;
}

impl FromStr for Per {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Per, Invalid> {
        match text.split_once(':') {
            None if text == "client" => Ok(Per::Client),
            None if text == "route" => Ok(Per::Route),
            Some(("header", name)) if is_token(name) => Ok(Per::Header(name.to_ascii_lowercase())),
            _ => Err(Invalid::new(format!("`{}` is not known", text.escape_debug()))
                .help("it can be: `client`, `route`, `header:X-Api-Key`")),
        }
    }
}

impl fmt::Display for Per {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Per::Client => f.write_str("client"),
            Per::Route => f.write_str("route"),
            Per::Header(name) => write!(f, "header:{name}"),
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s, burst {}, per {}", self.per_second, self.burst, self.per)
    }
}
