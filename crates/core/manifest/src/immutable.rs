//! core: which files never change under their name, because a bundler has put a hash of their content into it.
//!
//! Browsers then need not ask again: `Cache-Control: public, max-age=31536000, immutable` (RFC 8246). A file that is wrongly held
//! to be one shows late, for a year; so a name counts by itself only if it looks like the output of a bundler, and whoever knows
//! better says which with a pattern.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;

/// Of a hash in a file name, in characters. Vite and esbuild write 8, Django 12, webpack 20, Rails 64.
const HASH_LEN: std::ops::RangeInclusive<usize> = 8..=64;
const PATTERN_LEN_MAX: usize = 256;

/// The key `immutable`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Immutable {
    /// `true`: names with a hash in them, `app.3f9a2b1c.js`, `index-BxK3_a1Z.css`.
    Hashed,
    /// Paths below the route; `*` stands for anything, `assets/*`.
    Pattern(String),
}

impl Immutable {
    pub(crate) fn parse(text: &str) -> Result<Immutable, Invalid> {
        let text = text.trim_start_matches('/');
        if text.is_empty() || text.len() > PATTERN_LEN_MAX || text.contains(char::is_control) {
            return Err(Invalid::new("not a pattern").help("write it like `assets/*` or `*.woff2`, or `true`"));
        }
        Ok(Immutable::Pattern(text.to_owned()))
    }

    /// Whether the file at this path never changes. The path is relative to the route, without a leading slash.
    pub fn covers(&self, path: &str) -> bool {
        match self {
            Immutable::Hashed => is_hashed(path.rsplit('/').next().unwrap_or(path)),
            Immutable::Pattern(pattern) => is_like(path, pattern),
        }
    }
}

/// A hash stands between two dots, or between a dash and the first dot behind it.
fn is_hashed(name: &str) -> bool {
    let Some((stem, rest)) = name.split_once('.') else { return false };
    let mut between_dots = rest.rsplit_once('.').map_or("", |(between, _)| between).split('.');
    // A hash of Vite's may have dashes in it, so each place where it may begin is tried.
    let mut behind_dash = stem.match_indices('-').map(|(at, _)| &stem[at + 1..]);
    between_dots.any(is_hash) || behind_dash.any(is_hash)
}

fn is_hash(part: &str) -> bool {
    let fits = HASH_LEN.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !fits || !part.bytes().any(|b| b.is_ascii_digit()) || !part.bytes().any(|b| b.is_ascii_alphabetic()) {
        return false;
    }
    let is_hex = part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let is_base32 = part.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    // Base64 of Vite and Rollup: 8 characters of both cases.
    let is_mixed =
        part.len() == 8 && part.bytes().any(|b| b.is_ascii_uppercase()) && part.bytes().any(|b| b.is_ascii_lowercase());
    is_hex || (is_base32 && part.len() == 8) || is_mixed
}

/// The text up to the first `*` is where it begins, that behind the last where it ends, the others follow one another.
fn is_like(path: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

impl fmt::Display for Immutable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Immutable::Hashed => f.write_str("true"),
            Immutable::Pattern(pattern) => f.write_str(pattern),
        }
    }
}

#[cfg(test)]
mod tests;
