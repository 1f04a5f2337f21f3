//! Core: from bytes to requests. A request is a line; those that store bring a block of data behind it.

use bytes::Bytes;
use memchr::memchr;

use super::KEY_LEN_MAX;
use super::binary;
use super::meta::{BAD_FORMAT, Meta, MetaVerb};
use super::number::{signed, unsigned, unsigned_32};
use super::request::{Arithmetic, Get, Request, Store, Verb};
use super::tokens::Tokens;

/// The longest line but for those that ask for many keys.
const LINE_LEN_MAX: usize = 2048;
/// More spaces than this in front of a long line are no way to ask for many keys.
const SPACES_MAX: usize = 100;
/// Words of a command that is no `get`; what has more has too many.
const WORDS_MAX: usize = 8;
const BAD_DATA: &str = "CLIENT_ERROR bad data chunk";
const BAD_EXPIRY: &str = "CLIENT_ERROR invalid exptime argument";
const TOO_LARGE: &str = "SERVER_ERROR object too large for cache";

/// What one client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of `get` and `gets`. memcached has no limit.
    pub line_len_max: usize,
    pub value_len_max: usize,
}

/// What the start of the input holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    Complete {
        used: usize,
        request: Request<'a>,
    },
    /// To be tried again when the input has `needed` bytes, with this `scanned`.
    Incomplete {
        needed: usize,
        scanned: usize,
    },
    /// No request. The bytes used are gone; what follows is the next one.
    Refused {
        used: usize,
        refusal: Refusal<'a>,
    },
    /// Where the next request begins is not known.
    Close {
        reply: Bytes,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The reply, without CR LF.
    pub text: &'static str,
    /// The client wants to hear nothing.
    pub quiet: bool,
    /// So many bytes more are to be dropped as they come.
    pub swallow: usize,
    /// What is stored under it is to go: it would be taken for what could not be stored.
    pub forget: Option<&'a [u8]>,
}

/// Takes one request off the front of `input`, of which the first `scanned` bytes are known to have no end of line.
#[inline]
pub fn parse<'a>(input: &'a [u8], limits: &Limits, scanned: usize) -> Parsed<'a> {
    if input.first() == Some(&binary::REQUEST) {
        return binary::refuse(input);
    }
    let unseen = input.get(scanned..).unwrap_or_default();
    let Some(end) = memchr(b'\n', unseen).map(|at| at + scanned) else {
        return match is_too_long(input, input.len(), limits) {
            true => Parsed::Close { reply: Bytes::new() },
            false => Parsed::Incomplete { needed: input.len() + 1, scanned: input.len() },
        };
    };
    if is_too_long(input, end, limits) {
        return Parsed::Close { reply: Bytes::new() };
    }
    let line = &input[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let behind = Behind { input, from: end + 1, limits };
    let mut tokens = Tokens::new(line);
    let outcome = match tokens.next() {
        Some(b"get") => get(tokens, false),
        Some(b"gets") => get(tokens, true),
        Some(b"set") => return behind.store(Verb::Set, line),
        Some(b"mg") => meta(MetaVerb::Get, tokens),
        Some(b"ms") => return behind.meta_set(tokens),
        Some(name) => match storing(name) {
            Some(verb) => return behind.store(verb, line),
            None => match other(name, tokens, line) {
                Some(outcome) => outcome,
                // Somebody who takes it for a web server is not told more than that it is none.
                None if is_web_request(line) => return Parsed::Close { reply: Bytes::new() },
                None => Err(Refusal::loud("ERROR")),
            },
        },
        None => Err(Refusal::loud("ERROR")),
    };
    let used = end + 1;
    match outcome {
        Ok(request) => Parsed::Complete { used, request },
        Err(refusal) => Parsed::Refused { used, refusal },
    }
}

type Outcome<'a> = Result<Request<'a>, Refusal<'a>>;

impl Refusal<'_> {
    fn loud(text: &'static str) -> Self {
        Self { text, quiet: false, swallow: 0, forget: None }
    }

    fn maybe(text: &'static str, quiet: bool) -> Self {
        Self { quiet, ..Self::loud(text) }
    }
}

/// Whether a line of which `len` bytes are known is longer than any.
fn is_too_long(input: &[u8], len: usize, limits: &Limits) -> bool {
    if len <= LINE_LEN_MAX {
        return false;
    }
    let spaces = input.iter().take(SPACES_MAX + 1).take_while(|byte| **byte == b' ').count();
    let line = &input[spaces..];
    let asks_for_keys = line.starts_with(b"get ") || line.starts_with(b"gets ");
    spaces > SPACES_MAX || !asks_for_keys || len > limits.line_len_max
}

fn get(keys: Tokens<'_>, with_cas: bool) -> Outcome<'_> {
    if keys.clone().next().is_none() {
        return Err(Refusal::loud("ERROR"));
    }
    checked_get(Get { keys, with_cas, expires: None })
}

fn gat(mut line: Tokens<'_>, with_cas: bool) -> Outcome<'_> {
    let expires = line.next().ok_or(Refusal::loud("ERROR"))?;
    let expires = signed(expires).ok_or(Refusal::loud(BAD_EXPIRY))?;
    checked_get(Get { keys: line, with_cas, expires: Some(expires) })
}

/// All keys or none: nothing is told of the first ones if a later one is too long.
fn checked_get(get: Get<'_>) -> Outcome<'_> {
    let mut keys = get.keys;
    match keys.any(|key| key.len() > KEY_LEN_MAX) {
        true => Err(Refusal::loud(BAD_FORMAT)),
        false => Ok(Request::Get(get)),
    }
}

fn meta<'a>(verb: MetaVerb<'a>, line: Tokens<'a>) -> Outcome<'a> {
    Meta::parse(verb, line).map(Request::Meta).map_err(Refusal::loud)
}

fn storing(name: &[u8]) -> Option<Verb> {
    Some(match name {
        b"add" => Verb::Add,
        b"replace" => Verb::Replace,
        b"append" => Verb::Append,
        b"prepend" => Verb::Prepend,
        b"cas" => Verb::Cas(0),
        _ => return None,
    })
}

/// What is no `get` and stores nothing.
fn other<'a>(name: &[u8], tokens: Tokens<'a>, line: &'a [u8]) -> Option<Outcome<'a>> {
    Some(match name {
        b"gat" => gat(tokens, false),
        b"gats" => gat(tokens, true),
        b"bget" => get(tokens, false),
        b"md" => meta(MetaVerb::Delete, tokens),
        b"ma" => meta(MetaVerb::Arithmetic { is_decrement: false }, tokens),
        b"me" => meta(MetaVerb::Debug, tokens),
        b"mn" => Ok(Request::NoOp),
        b"incr" => arithmetic(&Words::of(line), false),
        b"decr" => arithmetic(&Words::of(line), true),
        b"delete" => delete(&Words::of(line)),
        b"touch" => touch(&Words::of(line)),
        b"flush_all" => flush_all(&Words::of(line)),
        b"verbosity" => verbosity(&Words::of(line)),
        b"stats" => Ok(Request::Stats(tokens)),
        b"version" => Ok(Request::Version),
        b"shutdown" => Ok(Request::Shutdown),
        b"quit" => Ok(Request::Quit),
        _ => return None,
    })
}

fn is_web_request(line: &[u8]) -> bool {
    Tokens::new(line).last().is_some_and(|last| last.starts_with(b"HTTP/"))
}

fn arithmetic<'a>(words: &Words<'a>, is_decrement: bool) -> Outcome<'a> {
    words.expect(3..=4)?;
    let (key, quiet) = words.key()?;
    let by = unsigned(words.at(2)).ok_or(Refusal::maybe("CLIENT_ERROR invalid numeric delta argument", quiet))?;
    Ok(Request::Arithmetic(Arithmetic { key, by, is_decrement, quiet }))
}

fn delete<'a>(words: &Words<'a>) -> Outcome<'a> {
    words.expect(2..=4)?;
    let quiet = words.count > 2 && words.is_quiet();
    // There was a time to hold it once; zero is still taken.
    let is_zero = words.count > 2 && words.at(2) == b"0";
    let fits = match words.count {
        2 => true,
        3 => is_zero || quiet,
        _ => is_zero && quiet,
    };
    if !fits {
        let usage = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]";
        return Err(Refusal::maybe(usage, quiet));
    }
    match words.at(1) {
        key if key.len() > KEY_LEN_MAX => Err(Refusal::maybe(BAD_FORMAT, quiet)),
        key => Ok(Request::Delete { key, quiet }),
    }
}

fn touch<'a>(words: &Words<'a>) -> Outcome<'a> {
    words.expect(3..=4)?;
    let (key, quiet) = words.key()?;
    let expires = signed(words.at(2)).ok_or(Refusal::maybe(BAD_EXPIRY, quiet))?;
    Ok(Request::Touch { key, expires, quiet })
}

fn flush_all<'a>(words: &Words<'a>) -> Outcome<'a> {
    words.expect(1..=3)?;
    let quiet = words.is_quiet();
    let delay = match words.count - usize::from(quiet) {
        1 => 0,
        _ => signed(words.at(1)).ok_or(Refusal::maybe(BAD_EXPIRY, quiet))?,
    };
    Ok(Request::FlushAll { delay, quiet })
}

fn verbosity<'a>(words: &Words<'a>) -> Outcome<'a> {
    words.expect(2..=3)?;
    let quiet = words.is_quiet();
    unsigned_32(words.at(1)).ok_or(Refusal::maybe(BAD_FORMAT, quiet))?;
    Ok(Request::Verbosity { quiet })
}

/// How long a block of data is, from its token.
pub(super) fn data_len(token: &[u8]) -> Option<usize> {
    signed(token).filter(|len| (0..=i64::from(i32::MAX) - 2).contains(len)).map(|len| len as usize)
}

/// The words of a line that has few.
struct Words<'a> {
    words: [&'a [u8]; WORDS_MAX],
    /// Of all, also of those for which there was no room.
    count: usize,
}

impl<'a> Words<'a> {
    fn of(line: &'a [u8]) -> Self {
        let mut all = Self { words: [&[]; WORDS_MAX], count: 0 };
        for word in Tokens::new(line).take(WORDS_MAX + 1) {
            if let Some(slot) = all.words.get_mut(all.count) {
                *slot = word;
            }
            all.count += 1;
        }
        all
    }

    fn at(&self, index: usize) -> &'a [u8] {
        self.words[index]
    }

    fn expect(&self, counts: std::ops::RangeInclusive<usize>) -> Result<(), Refusal<'a>> {
        if counts.contains(&self.count) { Ok(()) } else { Err(Refusal::loud("ERROR")) }
    }

    /// Whether no reply is wanted. Looked at first: also errors are kept back then.
    fn is_quiet(&self) -> bool {
        self.at(self.count - 1) == b"noreply"
    }

    fn key(&self) -> Result<(&'a [u8], bool), Refusal<'a>> {
        let quiet = self.is_quiet();
        match self.at(1) {
            key if key.len() > KEY_LEN_MAX => Err(Refusal::maybe(BAD_FORMAT, quiet)),
            key => Ok((key, quiet)),
        }
    }
}

/// What comes behind the line.
struct Behind<'a, 'l> {
    input: &'a [u8],
    from: usize,
    limits: &'l Limits,
}

impl<'a> Behind<'a, '_> {
    fn store(&self, verb: Verb, line: &'a [u8]) -> Parsed<'a> {
        match store_head(verb, line) {
            Ok((store, len)) => {
                let key = (store.verb == Verb::Set).then_some(store.key);
                self.with_data(len, store.quiet, key, |data| Request::Store(Store { data, ..store }))
            }
            Err(refusal) => Parsed::Refused { used: self.from, refusal },
        }
    }

    fn meta_set(&self, tokens: Tokens<'a>) -> Parsed<'a> {
        let refused = |refusal| Parsed::Refused { used: self.from, refusal };
        match Meta::parse_set(tokens) {
            Ok((len, Ok(meta))) => {
                let key = (!meta.is_base64).then_some(meta.key_sent);
                self.with_data(len, false, key, |data| Request::Meta(meta.with_data(data)))
            }
            Ok((len, Err(text))) => refused(Refusal { swallow: len + 2, ..Refusal::loud(text) }),
            Err(text) => refused(Refusal::loud(text)),
        }
    }

    /// The request that the block of `len` bytes behind the line completes.
    fn with_data(
        &self,
        len: usize,
        quiet: bool,
        key: Option<&'a [u8]>,
        request: impl FnOnce(&'a [u8]) -> Request<'a>,
    ) -> Parsed<'a> {
        let (end, used) = (self.from + len, self.from + len + 2);
        if len > self.limits.value_len_max {
            let refusal = Refusal { swallow: len + 2, forget: key, ..Refusal::maybe(TOO_LARGE, quiet) };
            return Parsed::Refused { used: self.from, refusal };
        }
        if used > self.input.len() {
            return Parsed::Incomplete { needed: used, scanned: 0 };
        }
        if &self.input[end..used] != b"\r\n" {
            return Parsed::Refused { used, refusal: Refusal::maybe(BAD_DATA, quiet) };
        }
        Parsed::Complete { used, request: request(&self.input[self.from..end]) }
    }
}

/// What is to be stored, but for the data, and how long that is.
fn store_head<'a>(verb: Verb, line: &'a [u8]) -> Result<(Store<'a>, usize), Refusal<'a>> {
    let words = Words::of(line);
    let is_cas = matches!(verb, Verb::Cas(_));
    words.expect(if is_cas { 6..=7 } else { 5..=6 })?;
    let (key, quiet) = words.key()?;
    let bad = || Refusal::maybe(BAD_FORMAT, quiet);
    let flags = unsigned_32(words.at(2)).ok_or_else(bad)?;
    let expires = signed(words.at(3)).ok_or_else(bad)?;
    let len = data_len(words.at(4)).ok_or_else(bad)?;
    let verb = if is_cas { Verb::Cas(unsigned(words.at(5)).ok_or_else(bad)?) } else { verb };
    Ok((Store { verb, key, flags, expires, data: &[], quiet }, len))
}

#[cfg(test)]
mod tests;
