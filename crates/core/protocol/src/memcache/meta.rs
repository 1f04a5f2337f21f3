//! Core: meta commands: a key and flags of one letter each, some with a token behind the letter.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::KEY_LEN_MAX;
use super::number::{signed, unsigned, unsigned_32};
use super::tokens::Tokens;

/// Words of a command and its end, as memcached counts them.
const TOKENS_MAX: usize = 20;
/// With the `O` in front.
const OPAQUE_LEN_MAX: usize = 32;
/// memcached pads what it encodes, and takes what is not padded.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) const BAD_FORMAT: &str = "CLIENT_ERROR bad command line format";
const BAD_TOKEN: &str = "CLIENT_ERROR bad token in command line format";
const BAD_FLAG: &str = "CLIENT_ERROR invalid or duplicate flag";
const LONG_OPAQUE: &str = "CLIENT_ERROR opaque token too long";

/// What to do with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaVerb<'a> {
    Get,
    Set {
        mode: SetMode,
        data: &'a [u8],
    },
    Delete,
    Arithmetic {
        is_decrement: bool,
    },
    /// `me`: what is known of an item, for people.
    Debug,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
}

/// A meta command: `mg`, `ms`, `md`, `ma` or `me`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta<'a> {
    pub verb: MetaVerb<'a>,
    /// Decoded if it came in base64.
    pub key: Cow<'a, [u8]>,
    /// As it came, to be returned with `k`.
    pub key_sent: &'a [u8],
    /// `b`
    pub is_base64: bool,
    /// All flags in their order, for those that ask for something to be returned.
    pub flags: Tokens<'a>,
    /// `q`: no reply if nothing special happens.
    pub quiet: bool,
    /// `v`: with the value.
    pub with_value: bool,
    /// `u`: does not count as a use.
    pub no_bump: bool,
    /// `T`: seconds as in [`super::Store`].
    pub expires: Option<i64>,
    /// `N`: make an item that lives so long if there is none.
    pub vivify: Option<i64>,
    /// `R`: win the right to recache if it lives no longer than this.
    pub recache: Option<i64>,
    /// `F`
    pub client_flags: u32,
    /// `C`: only if the item has this number.
    pub cas: Option<u64>,
    /// `I`: mark as stale.
    pub invalidate: bool,
    /// `J`: what `ma` begins with.
    pub initial: u64,
    /// `D`: what `ma` adds.
    pub delta: u64,
    /// What is behind `M`.
    mode: Option<u8>,
}

impl<'a> Meta<'a> {
    /// What `mg`, `md`, `ma` or `me` wants. Errors are said to the client whatever it asked for.
    pub(super) fn parse(verb: MetaVerb<'a>, line: Tokens<'a>) -> Result<Self, &'static str> {
        let mut flags = line;
        let key = flags.next().ok_or(if verb == MetaVerb::Debug { BAD_FORMAT } else { "ERROR" })?;
        if key.len() > KEY_LEN_MAX {
            return Err(BAD_FORMAT);
        }
        if verb == MetaVerb::Debug {
            return Self::debug(key, flags);
        }
        let mut meta = Self::of(verb, key, flags);
        if line.count() + 2 > TOKENS_MAX {
            return Err(match verb {
                MetaVerb::Get => "CLIENT_ERROR options flags are too long",
                _ => "CLIENT_ERROR options flags too long",
            });
        }
        // Only some commands of memcached say what is wrong.
        meta.read_flags().map_err(|error| if verb == MetaVerb::Get { error } else { BAD_FLAG })?;
        if let MetaVerb::Arithmetic { is_decrement } = &mut meta.verb {
            *is_decrement = match meta.mode {
                None | Some(b'I' | b'+') => false,
                Some(b'D' | b'-') => true,
                Some(_) => return Err("CLIENT_ERROR invalid mode for ma M token"),
            };
        }
        meta.check_opaque()?;
        Ok(meta)
    }

    /// How many bytes an `ms` brings, and what it wants to do with them; also if the latter is an error, they have to be taken.
    pub(super) fn parse_set(line: Tokens<'a>) -> Result<(usize, Result<Self, &'static str>), &'static str> {
        let mut flags = line;
        let key = flags.next().ok_or("ERROR")?;
        let len = flags.next().filter(|_| key.len() <= KEY_LEN_MAX).ok_or(BAD_FORMAT)?;
        if line.count() + 2 > TOKENS_MAX {
            return Err("CLIENT_ERROR options flags too long");
        }
        let len = super::frame::data_len(len).ok_or(BAD_FORMAT)?;
        let mut meta = Self::of(MetaVerb::Set { mode: SetMode::Set, data: &[] }, key, flags);
        Ok((len, meta.read_set_flags().map(|()| meta)))
    }

    pub(super) fn with_data(mut self, bytes: &'a [u8]) -> Self {
        if let MetaVerb::Set { data, .. } = &mut self.verb {
            *data = bytes;
        }
        self
    }

    fn of(verb: MetaVerb<'a>, key: &'a [u8], flags: Tokens<'a>) -> Self {
        Self {
            verb,
            key: Cow::Borrowed(key),
            key_sent: key,
            is_base64: false,
            flags,
            quiet: false,
            with_value: false,
            no_bump: false,
            expires: None,
            vivify: None,
            recache: None,
            client_flags: 0,
            cas: None,
            invalidate: false,
            initial: 0,
            delta: 1,
            mode: None,
        }
    }

    fn debug(key: &'a [u8], mut flags: Tokens<'a>) -> Result<Self, &'static str> {
        let mut meta = Self::of(MetaVerb::Debug, key, flags);
        if flags.next() == Some(b"b") {
            meta.decode_key().map_err(|_| BAD_FORMAT)?;
        }
        Ok(meta)
    }

    fn read_set_flags(&mut self) -> Result<(), &'static str> {
        self.read_flags()?;
        let mode = match self.mode {
            None | Some(b'S') => SetMode::Set,
            Some(b'E') => SetMode::Add,
            Some(b'A') => SetMode::Append,
            Some(b'P') => SetMode::Prepend,
            Some(b'R') => SetMode::Replace,
            Some(_) => return Err("CLIENT_ERROR invalid mode for ms M token"),
        };
        self.verb = MetaVerb::Set { mode, data: &[] };
        self.check_opaque()
    }

    /// A bad token is said when all flags are known to be flags; of several the last one.
    fn read_flags(&mut self) -> Result<(), &'static str> {
        let (mut seen, mut bad) = (0u128, None);
        for flag in self.flags {
            let letter = flag[0];
            if letter >= 127 || seen & (1 << letter) != 0 {
                return Err("CLIENT_ERROR duplicate flag");
            }
            seen |= 1 << letter;
            bad = self.read_flag(letter, &flag[1..])?.or(bad);
        }
        bad.map_or(Ok(()), Err)
    }

    fn read_flag(&mut self, letter: u8, token: &[u8]) -> Result<Option<&'static str>, &'static str> {
        let mut bad = None;
        match letter {
            b'b' => bad = self.decode_key().err(),
            b'N' => bad = read(&mut self.vivify, signed(token), BAD_TOKEN),
            b'T' => bad = read(&mut self.expires, signed(token), BAD_TOKEN),
            b'R' => bad = read(&mut self.recache, signed(token), BAD_TOKEN),
            b'C' => bad = read(&mut self.cas, unsigned(token), BAD_TOKEN),
            b'F' => match unsigned_32(token) {
                Some(flags) => self.client_flags = flags,
                None => bad = Some(BAD_FORMAT),
            },
            b'M' => match token {
                [mode] => self.mode = Some(*mode),
                _ => bad = Some("CLIENT_ERROR incorrect length for M token"),
            },
            b'J' => match unsigned(token) {
                Some(initial) => self.initial = initial,
                None => bad = Some("CLIENT_ERROR invalid numeric initial value"),
            },
            b'D' => match unsigned(token) {
                Some(delta) => self.delta = delta,
                None => bad = Some("CLIENT_ERROR invalid numeric delta value"),
            },
            b'v' => self.with_value = true,
            b'u' => self.no_bump = true,
            b'q' => self.quiet = true,
            b'I' => self.invalidate = true,
            // To be returned; P and L are for proxies.
            b'O' | b'P' | b'L' | b'k' | b's' | b't' | b'c' | b'f' | b'l' | b'h' => {}
            _ => return Err("CLIENT_ERROR invalid flag"),
        }
        Ok(bad)
    }

    fn decode_key(&mut self) -> Result<(), &'static str> {
        self.is_base64 = true;
        let key = BASE64.decode(self.key_sent).ok().filter(|key| !key.is_empty());
        self.key = Cow::Owned(key.ok_or("CLIENT_ERROR error decoding key")?);
        Ok(())
    }

    fn check_opaque(&self) -> Result<(), &'static str> {
        let mut flags = self.flags;
        match flags.any(|flag| flag[0] == b'O' && flag.len() > OPAQUE_LEN_MAX) {
            true => Err(LONG_OPAQUE),
            false => Ok(()),
        }
    }
}

fn read<T>(into: &mut Option<T>, token: Option<T>, otherwise: &'static str) -> Option<&'static str> {
    *into = token;
    into.is_none().then_some(otherwise)
}
