//! Core: which content encoding a client wants (RFC 9110, 12.5.3), and what is worth encoding.

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, HeaderValue};

/// Encodings other than none, those we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Brotli,
    Zstd,
    Gzip,
}

/// For files compressed when they were built: the smallest first.
pub const STORED: [Encoding; 3] = [Encoding::Brotli, Encoding::Zstd, Encoding::Gzip];
/// For compressing while the client waits: the quickest first.
pub const LIVE: [Encoding; 3] = [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip];

impl Encoding {
    /// In `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Brotli => "br",
            Encoding::Zstd => "zstd",
            Encoding::Gzip => "gzip",
        }
    }

    /// Of a precompressed file next to the original.
    pub fn suffix(self) -> &'static str {
        match self {
            Encoding::Brotli => ".br",
            Encoding::Zstd => ".zst",
            Encoding::Gzip => ".gz",
        }
    }
}

/// What a client accepts, in thousandths; 0 is not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    weights: [u16; 3],
}

impl Accepted {
    pub fn of(headers: &HeaderMap) -> Self {
        let mut known: [Option<u16>; 3] = [None; 3];
        let mut others = 0;
        for item in headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(','))
        {
            let (name, weight) = weighted(item);
            match STORED.iter().position(|encoding| name.eq_ignore_ascii_case(encoding.name())) {
                Some(at) => known[at] = Some(weight),
                None if name == "*" => others = weight,
                None => {}
            }
        }
        Self { weights: known.map(|weight| weight.unwrap_or(others)) }
    }

    /// Those that the client takes, the best liked first; among equals in the order given.
    pub fn ranked(&self, order: [Encoding; 3]) -> impl Iterator<Item = Encoding> {
        let mut weighted = order.map(|encoding| (self.weight(encoding), encoding));
        weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        weighted.into_iter().filter(|(weight, _)| *weight > 0).map(|(_, encoding)| encoding)
    }

    fn weight(&self, encoding: Encoding) -> u16 {
        STORED.iter().position(|known| *known == encoding).map_or(0, |at| self.weights[at])
    }
}

/// `name;q=0.5`
fn weighted(item: &str) -> (&str, u16) {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let q = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = q.map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0)).clamp(0.0, 1.0);
    (name, (weight * 1000.0) as u16)
}

/// Whether bytes of this type become smaller at all.
pub fn is_compressible(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let (top, sub) = essence.split_once('/').unwrap_or_default();
    let structured = [
        "json",
        "xml",
        "javascript",
        "ecmascript",
        "wasm",
        "x-sh",
        "rtf",
        "x-ndjson",
        "graphql",
        "yaml",
        "toml",
        "manifest",
    ];
    match top {
        "text" => sub != "event-stream",
        "application" => structured.iter().any(|word| sub == *word || sub.ends_with(&format!("+{word}"))),
        "image" => matches!(sub, "svg+xml" | "bmp" | "x-icon" | "vnd.microsoft.icon"),
        "font" => matches!(sub, "ttf" | "otf"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
