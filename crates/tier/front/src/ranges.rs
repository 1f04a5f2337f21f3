//! Core: which bytes a `Range` asks for (RFC 9110, 14).

use std::ops::Range;

/// More at once are not worth anybody's while: the whole is sent instead.
const RANGES_MAX: usize = 16;
/// Two parts with less between them are sent as one, as their heads would be longer than the gap (RFC 9110, 15.3.7.2).
const GAP_MAX: u64 = 80;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// Not a range we understand, or one that would be more than the whole: as if it was not there.
    Ignored,
    /// None of them is within.
    Outside,
    /// At least one, none empty, not overlapping.
    Parts(Vec<Range<u64>>),
}

/// `text`: the field's value; `len`: of the whole.
pub fn parse(text: &str, len: u64) -> Ranges {
    let Some(list) = text.strip_prefix("bytes=") else { return Ranges::Ignored };
    let mut parts = Vec::new();
    for (nth, one) in list.split(',').map(str::trim).enumerate() {
        match parse_one(one, len) {
            Some(range) if nth < RANGES_MAX => parts.extend((range.start < range.end).then_some(range)),
            _ => return Ranges::Ignored,
        }
    }
    if parts.is_empty() {
        return Ranges::Outside;
    }
    let asked: u64 = parts.iter().map(|range| range.end - range.start).sum();
    // Many that overlap are an old way to make a server send much for little.
    if parts.len() > 1 && asked > len {
        return Ranges::Ignored;
    }
    Ranges::Parts(joined(parts))
}

/// As it is; empty if it is outside.
fn parse_one(text: &str, len: u64) -> Option<Range<u64>> {
    let (first, last) = text.split_once('-')?;
    let number = |text: &str| {
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Some(first.min(len)..last.saturating_add(1).min(len)),
        (Some(first), None) if last.is_empty() => Some(first.min(len)..len),
        (None, Some(suffix)) if first.is_empty() => Some(len.saturating_sub(suffix)..len),
        _ => None,
    }
}

/// In the order that was asked for, unless some belong together.
fn joined(parts: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut sorted = parts.clone();
    sorted.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end + GAP_MAX => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    if joined.len() == parts.len() { parts } else { joined }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn several_ranges_are_told_apart_and_near_ones_joined() {
        let parts = |text: &str| match parse(&format!("bytes={text}"), 1000) {
            Ranges::Parts(parts) => format!("{parts:?}"),
            other => format!("{other:?}"),
        };
        assert_eq!(parts("0-9,500-509"), "[0..10, 500..510]");
        assert_eq!(parts("500-509, 0-9"), "[500..510, 0..10]", "in the order that was asked for");
        assert_eq!(parts("0-9,10-19"), "[0..20]");
        assert_eq!(parts("0-9,60-69"), "[0..70]", "the gap is shorter than a head");
        assert_eq!(parts("0-99,50-149,900-"), "[0..150, 900..1000]");
        assert_eq!(parts("0-9,2000-"), "[0..10]", "what is outside is left out");
        assert_eq!(parts("2000-,3000-"), "Outside");
        assert_eq!(parts("0-,0-"), "Ignored", "it would be more than the whole");
        assert_eq!(parts("0-9,x"), "Ignored");
        assert_eq!(parts(&["0-0"; 17].join(",")), "Ignored");
        assert_eq!(parse("lines=0-9", 1000), Ranges::Ignored);
    }

    proptest! {
        #[test]
        fn parts_are_within_and_do_not_overlap(asked in prop::collection::vec((0u64..2000, 0u64..300), 1..10), len in 1u64..1500) {
            let text: Vec<String> = asked.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
            if let Ranges::Parts(parts) = parse(&format!("bytes={}", text.join(",")), len) {
                prop_assert!(!parts.is_empty() && parts.iter().all(|part| part.start < part.end && part.end <= len));
                let mut sorted = parts.clone();
                sorted.sort_by_key(|part| part.start);
                prop_assert!(sorted.windows(2).all(|pair| pair[0].end <= pair[1].start));
                let has = |at: u64| parts.iter().any(|part| part.contains(&at));
                prop_assert!(asked.iter().all(|(first, more)| (*first..=first + more).all(|at| at >= len || has(at))));
            }
        }
    }
}
