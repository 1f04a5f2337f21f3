//! core: which request paths a route is for.
//!
//! `/exact` is that path alone; `/prefix/*` is `/prefix`, `/prefix/` and all below, not `/prefixx`; `/*` is everything.
//! A route to a directory (static files, CGI) whose pattern ends in `/` means the tree, as people expect of
//! `path = "/"`. Matching is on the path as it came, not percent-decoded: `%2F` never is a border between parts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;

const PATTERN_LEN_MAX: usize = 1024;

/// A route's path. Compare [`PathPattern::specificity`] of those that match: the greatest is the one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PathPattern {
    /// The exact path, or the prefix without its `/*` (empty for `/*`).
    pub path: String,
    /// Whether everything below matches too.
    pub prefix: bool,
}

/// How a path matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Length in bytes of the part of the path that the route is mounted at, without a trailing slash: `SCRIPT_NAME` of
    /// a CGI script, what `strip` takes away. 0 at the root.
    pub mount: usize,
}

impl PathPattern {
    /// Reads a pattern; with `tree`, one that ends in `/` means everything below.
    pub fn parse(text: &str, tree: bool) -> Result<PathPattern, Invalid> {
        check(text)?;
        let stem = text.strip_suffix("/*").or_else(|| text.strip_suffix('/').filter(|_| tree));
        if stem.unwrap_or(text).contains('*') {
            let literal = &text[..text.find('*').unwrap_or(0)];
            let below = literal.rsplit_once('/').map_or("", |(below, _)| below);
            return Err(Invalid::new(format!("`*` may only be the last part of a path, as in `/a/*`, not `{text}`"))
                .help(format!("write `{below}/*`")));
        }
        Ok(PathPattern { path: stem.unwrap_or(text).to_owned(), prefix: stem.is_some() })
    }

    /// Whether a raw request path (no query) is for this pattern, and where it is mounted then.
    pub fn matches(&self, path: &str) -> Option<Match> {
        if !self.prefix {
            return (path == self.path).then(|| Match { mount: path.trim_end_matches('/').len() });
        }
        let rest = path.strip_prefix(self.path.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(Match { mount: self.path.len() })
    }

    /// The longest wins, and exact wins over a prefix: the greatest of these.
    pub fn specificity(&self) -> (usize, bool) {
        (self.path.len(), !self.prefix)
    }
}

impl FromStr for PathPattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<PathPattern, Invalid> {
        PathPattern::parse(text, false)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.prefix { f.write_str("/*") } else { Ok(()) }
    }
}

fn check(text: &str) -> Result<(), Invalid> {
    let shown = text.escape_debug();
    if !text.starts_with('/') {
        return Err(Invalid::new(format!("the path `{shown}` does not start with `/`"))
            .help(format!("write `/{}`", text.escape_debug())));
    }
    if text.len() > PATTERN_LEN_MAX {
        return Err(Invalid::new(format!("the path is longer than {PATTERN_LEN_MAX} bytes")));
    }
    if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '"' | '<' | '>' | '\\')) {
        return Err(Invalid::new(format!("the path `{shown}` contains `{}`", c.escape_debug())).help(
            "paths are compared as they come in requests, so write it percent-encoded; a query is not part of it",
        ));
    }
    if text.contains("//") || text.split('/').any(|part| part == "." || part == "..") {
        return Err(Invalid::new(format!("the path `{shown}` has an empty, `.` or `..` part"))
            .help("requests are tidied before they are routed, so this would never match"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
