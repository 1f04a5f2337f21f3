//! core: a route that sends the client elsewhere (RFC 9110, 15.4).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;
use crate::path_template::PathTemplate;

/// The key `redirect` with its `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    pub to: PathTemplate,
    pub status: u16,
}

impl Redirect {
    /// 301 and 308 are kept by browsers; 303 turns every method into GET, 301 and 302 turn POST.
    pub const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];
    /// Not kept by browsers, so a slip can be taken back; the method stays what it was.
    pub const STATUS_DEFAULT: u16 = 307;

    pub fn parse(text: &str) -> Result<Redirect, Invalid> {
        Ok(Redirect { to: PathTemplate::parse_location(text)?, status: Self::STATUS_DEFAULT })
    }

    /// The `Location` for what came after the route's mount. The query is kept unless there is one in the manifest.
    pub fn location(&self, rest: &str, query: Option<&str>) -> String {
        let mut location = self.to.fill(rest);
        if let Some(query) = query.filter(|_| !location.contains('?')) {
            location.push('?');
            location.push_str(query);
        }
        location
    }
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.to)
    }
}

#[cfg(test)]
mod tests;
