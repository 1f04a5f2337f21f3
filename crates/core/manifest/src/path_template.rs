//! core: where a matched path goes: `/new/page` is that one, `/new/*` keeps what the route's own `*` stood for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;

const TEMPLATE_LEN_MAX: usize = 2048;

/// The text of a `redirect` or `rewrite`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathTemplate {
    /// Without its `/*`.
    pub stem: String,
    /// Whether what came after the route's mount is put behind the stem.
    pub tail: bool,
}

impl PathTemplate {
    /// A path on this host.
    pub fn parse(text: &str) -> Result<PathTemplate, Invalid> {
        let shown = text.escape_debug();
        if !text.starts_with('/') || text.starts_with("//") {
            return Err(Invalid::new(format!("`{shown}` is not a path")).help("write it like `/new` or `/new/*`"));
        }
        if text.contains(['?', '#']) {
            return Err(Invalid::new(format!("`{shown}` has a query")).help("write the path alone: the query is kept"));
        }
        PathTemplate::of(text)
    }

    /// A path, or an address on any host. It may have a query of its own.
    pub(crate) fn parse_location(text: &str) -> Result<PathTemplate, Invalid> {
        let shown = text.escape_debug();
        let after_scheme = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if let Some(rest) = after_scheme {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            if host.is_empty() || host.contains('*') || host.contains('@') {
                return Err(
                    Invalid::new(format!("`{shown}` names no host")).help("write it like `https://shop.example.org/*`")
                );
            }
        } else if !text.starts_with('/') || text.starts_with("//") {
            return Err(Invalid::new(format!("`{shown}` is neither a path nor an address"))
                .help("write it like `/new/*` or `https://shop.example.org/*`"));
        }
        PathTemplate::of(text)
    }

    fn of(text: &str) -> Result<PathTemplate, Invalid> {
        let shown = text.escape_debug();
        if text.len() > TEMPLATE_LEN_MAX {
            return Err(Invalid::new(format!("longer than {TEMPLATE_LEN_MAX} bytes")));
        }
        let is_bad = |c: &char| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '`' | '{' | '}');
        if let Some(c) = text.chars().find(is_bad) {
            return Err(Invalid::new(format!("`{shown}` contains `{}`", c.escape_debug()))
                .help("write it as an address has it, percent-encoded"));
        }
        let stem = text.strip_suffix("/*");
        if stem.unwrap_or(text).contains('*') {
            return Err(Invalid::new(format!("`*` may only be the last part, as in `/new/*`, not as in `{shown}`"))
                .help("it stands for what the route's own `/*` matched"));
        }
        Ok(PathTemplate { stem: stem.unwrap_or(text).to_owned(), tail: stem.is_some() })
    }

    /// What a path becomes. `rest` is the path behind the route's mount: empty, or beginning with a slash.
    pub fn fill(&self, rest: &str) -> String {
        if !self.tail {
            return self.stem.clone();
        }
        // `//evil.example` would be read as another host.
        let rest = rest.trim_start_matches(['/', '\\']);
        let is_slash = self.stem.is_empty() || !rest.is_empty();
        format!("{}{}{rest}", self.stem, if is_slash { "/" } else { "" })
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stem)?;
        if self.tail { f.write_str("/*") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
