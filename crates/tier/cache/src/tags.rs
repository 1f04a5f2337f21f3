//! Core: the names that an app gives its answers, so that it can have all of a name forgotten at once.
//!
//! `Cache-Tag: product-7, home` or `Surrogate-Key: product-7 home`; both are read. An answer with more than we keep is not stored:
//! it would outlive a purge of the tags that were left out.

use http::HeaderMap;
use http::header::HeaderName;

const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const TAGS_MAX: usize = 256;
const TAG_LEN_MAX: usize = 256;

/// Each once.
pub(crate) type Tags = Box<[Box<str>]>;

pub(crate) fn of(headers: &HeaderMap) -> Result<Tags, &'static str> {
    let mut tags: Vec<Box<str>> = Vec::new();
    for line in headers.get_all(CACHE_TAG) {
        line.to_str().map_err(|_| "tags")?.split(',').try_for_each(|tag| add(&mut tags, tag.trim()))?;
    }
    for line in headers.get_all(SURROGATE_KEY) {
        line.to_str().map_err(|_| "tags")?.split_ascii_whitespace().try_for_each(|tag| add(&mut tags, tag))?;
    }
    Ok(tags.into())
}

fn add(tags: &mut Vec<Box<str>>, tag: &str) -> Result<(), &'static str> {
    if tag.is_empty() || tags.iter().any(|known| **known == *tag) {
        return Ok(());
    }
    if tags.len() >= TAGS_MAX || tag.len() > TAG_LEN_MAX {
        return Err("tags");
    }
    tags.push(tag.into());
    Ok(())
}

#[cfg(test)]
mod tests;
