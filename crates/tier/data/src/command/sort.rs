//! Core: SORT: the elements of a list, set or sorted set by their own value or by what other keys hold.
//!
//! Those other keys have to be where the sorted one is: in buckets that are kept together they all are.

use std::cmp::Ordering;
use std::ops::Range;

use ringway_values::{Body, Kind};

use super::args::{int, is};
use super::typed::{lenient_float, write_or_null};
use super::{Group, KeyPlaces, READ, Run, Spec, WRITE, spec};
use crate::call::{Args, Call, Keys, Live};
use crate::fail::{Fail, Ran};

const FIRST: KeyPlaces = KeyPlaces::First;
const NO_NUMBER: Fail = Fail::new("ERR One or more scores can't be converted into double");

pub(super) const SPECS: &[Spec] = &[
    spec("sort", -2, WRITE, FIRST, Group::Generic, "sorts elements", Run::Keyed(|call, args| sort(call, args, true))),
    spec(
        "sort_ro",
        -2,
        READ,
        FIRST,
        Group::Generic,
        "sorts elements",
        Run::Keyed(|call, args| sort(call, args, false)),
    ),
];

#[derive(Default)]
struct Options<'a> {
    by: Option<&'a [u8]>,
    limit: Option<(i64, i64)>,
    get: Vec<&'a [u8]>,
    descending: bool,
    by_text: bool,
    target: Option<&'a [u8]>,
}

/// An element, and what it is sorted by.
struct Weighed {
    element: Vec<u8>,
    number: f64,
    text: Option<Vec<u8>>,
}

type Values = Vec<Option<Vec<u8>>>;

fn sort(call: &mut Call<'_, '_>, args: Args<'_>, may_store: bool) -> Ran {
    let options = Options::parse(&args[2..], may_store)?;
    if options.target.is_some_and(|target| !call.keys.has_place_for(target)) {
        return Err(Fail::CROSS_SLOT);
    }
    let (elements, kind) = elements(call.keys, args[1])?;
    let elements = options.sorted(call.keys, elements, kind)?;
    let range = options.range(elements.len());
    let values = options.values(call.keys, &elements[range])?;
    match options.target {
        Some(target) => store(call, target, values),
        None => {
            call.out.array(values.len());
            values.iter().for_each(|value| write_or_null(call.out, value.as_deref()));
            Ok(())
        }
    }
}

/// A result without elements deletes the key.
fn store(call: &mut Call<'_, '_>, key: &[u8], values: Values) -> Ran {
    if values.is_empty() {
        call.keys.delete(key)?;
    } else {
        call.keys.admit(values.iter().flatten().map(Vec::len).sum())?;
        call.keys.replace(key, Kind::List, |edit| {
            values.iter().for_each(|value| edit.push_back(value.as_deref().unwrap_or_default()));
        })?;
    }
    call.out.int(values.len() as i64);
    Ok(())
}

fn elements(keys: &mut Keys<'_>, key: &[u8]) -> Ran<(Vec<Vec<u8>>, Kind)> {
    let collection = match keys.live(key)? {
        None => return Ok((Vec::new(), Kind::List)),
        Some((Live::Collection(collection), _)) => collection,
        Some(_) => return Err(Fail::WRONG_TYPE),
    };
    let elements = match collection.body() {
        Body::List(list) => list.iter().map(<[u8]>::to_vec).collect(),
        Body::Set(set) => set.iter().map(<[u8]>::to_vec).collect(),
        Body::SortedSet(set) => set.iter().map(|(member, _)| member.to_vec()).collect(),
        Body::Hash(_) => return Err(Fail::WRONG_TYPE),
    };
    Ok((elements, collection.kind()))
}

impl<'a> Options<'a> {
    fn parse(words: Args<'a>, may_store: bool) -> Ran<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if is(word, "ASC") {
                options.descending = false;
            } else if is(word, "DESC") {
                options.descending = true;
            } else if is(word, "ALPHA") {
                options.by_text = true;
            } else if is(word, "LIMIT") {
                let (Some(offset), Some(count)) = (words.next(), words.next()) else { return Err(Fail::SYNTAX) };
                options.limit = Some((int(offset)?, int(count)?));
            } else if is(word, "STORE") && may_store {
                options.target = Some(words.next().ok_or(Fail::SYNTAX)?);
            } else if is(word, "BY") {
                options.by = Some(words.next().ok_or(Fail::SYNTAX)?);
            } else if is(word, "GET") {
                options.get.push(words.next().ok_or(Fail::SYNTAX)?);
            } else {
                return Err(Fail::SYNTAX);
            }
        }
        Ok(options)
    }

    fn sorted(&self, keys: &mut Keys<'_>, mut elements: Vec<Vec<u8>>, kind: Kind) -> Ran<Vec<Vec<u8>>> {
        // A pattern without a star says: do not sort. What is kept of a set has some order all the same.
        let is_unsorted = self.by.is_some_and(|by| !by.contains(&b'*'));
        let keeps_set = is_unsorted && kind == Kind::Set && self.target.is_some();
        if is_unsorted && !keeps_set {
            if self.descending && kind != Kind::Set {
                elements.reverse();
            }
            return Ok(elements);
        }
        let (by, by_text) = if keeps_set { (None, true) } else { (self.by, self.by_text) };
        let mut weighed =
            elements.into_iter().map(|element| weigh(keys, element, by, by_text)).collect::<Ran<Vec<_>>>()?;
        weighed.sort_by(|a, b| if self.descending { compare(b, a, by_text) } else { compare(a, b, by_text) });
        Ok(weighed.into_iter().map(|weighed| weighed.element).collect())
    }

    fn range(&self, len: usize) -> Range<usize> {
        let Some((offset, count)) = self.limit else { return 0..len };
        let from = usize::try_from(offset.max(0)).unwrap_or(usize::MAX).min(len);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        from..from.saturating_add(count).min(len)
    }

    fn values(&self, keys: &mut Keys<'_>, elements: &[Vec<u8>]) -> Ran<Values> {
        if self.get.is_empty() {
            return Ok(elements.iter().cloned().map(Some).collect());
        }
        let mut values = Vec::with_capacity(elements.len() * self.get.len());
        for element in elements {
            for pattern in &self.get {
                values.push(look_up(keys, pattern, element)?);
            }
        }
        Ok(values)
    }
}

fn weigh(keys: &mut Keys<'_>, element: Vec<u8>, by: Option<&[u8]>, by_text: bool) -> Ran<Weighed> {
    let text = match by {
        Some(pattern) => look_up(keys, pattern, &element)?,
        None => Some(element.clone()),
    };
    let number = match &text {
        Some(text) if !by_text => lenient_float(text).ok_or(NO_NUMBER)?,
        _ => 0.0,
    };
    Ok(Weighed { element, number, text })
}

fn compare(a: &Weighed, b: &Weighed, by_text: bool) -> Ordering {
    match by_text {
        true => a.text.cmp(&b.text),
        false => a.number.partial_cmp(&b.number).unwrap_or(Ordering::Equal).then_with(|| a.element.cmp(&b.element)),
    }
}

/// What the key holds that the pattern names with the element in place of its first star; `->` and a field if that is a hash.
fn look_up(keys: &mut Keys<'_>, pattern: &[u8], element: &[u8]) -> Ran<Option<Vec<u8>>> {
    if pattern == b"#" {
        return Ok(Some(element.to_vec()));
    }
    let Some(star) = pattern.iter().position(|byte| *byte == b'*') else { return Ok(None) };
    let behind = &pattern[star + 1..];
    let arrow = behind.windows(2).position(|two| two == b"->").filter(|at| at + 2 < behind.len());
    let (rest, field) = match arrow {
        Some(at) => (&behind[..at], Some(&behind[at + 2..])),
        None => (behind, None),
    };
    let key = [&pattern[..star], element, rest].concat();
    if !keys.has_place_for(&key) {
        return Err(Fail::CROSS_SLOT);
    }
    let value = match (keys.live(&key)?, field) {
        (Some((Live::Text(text), _)), None) => Some(text.to_vec()),
        (Some((Live::Collection(collection), _)), Some(field)) => {
            collection.hash().and_then(|hash| hash.get(field)).map(<[u8]>::to_vec)
        }
        _ => None,
    };
    Ok(value)
}
