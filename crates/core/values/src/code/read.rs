//! Core: the small parts, read.

use ringway_causality::Version;

use super::{Damaged, FORMAT};
use crate::{Context, Dot, Kind, Life};

pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub fn finish(&self) -> Result<(), Damaged> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damaged("bytes after the end")) }
    }

    pub fn expect_format(&mut self) -> Result<(), Damaged> {
        if self.byte()? == FORMAT { Ok(()) } else { Err(Damaged("unknown format")) }
    }

    pub fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.rest.split_first().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*first)
    }

    pub fn flag(&mut self) -> Result<bool, Damaged> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Damaged("neither yes nor no")),
        }
    }

    pub fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if (part << shift) >> shift != part {
                return Err(Damaged("number too large"));
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Damaged("number too long"))
    }

    pub fn signed(&mut self) -> Result<i64, Damaged> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// How many of something follow that take at least a byte each.
    pub fn count(&mut self) -> Result<usize, Damaged> {
        let count = self.number()?;
        usize::try_from(count).ok().filter(|count| *count <= self.rest.len()).ok_or(TRUNCATED)
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let len = self.count()?;
        self.take(len)
    }

    pub fn fixed(&mut self) -> Result<u64, Damaged> {
        let (first, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*first))
    }

    pub fn score(&mut self) -> Result<f64, Damaged> {
        let score = f64::from_bits(self.fixed()?);
        if score.is_nan() { Err(Damaged("a score that is no number")) } else { Ok(score) }
    }

    pub fn dot(&mut self) -> Result<Dot, Damaged> {
        Ok(Dot { time: self.number()?, node: self.fixed()? })
    }

    pub fn version(&mut self) -> Result<Version, Damaged> {
        self.dot().map(Version::from)
    }

    pub fn moment(&mut self) -> Result<Option<u64>, Damaged> {
        if self.flag()? { self.number().map(Some) } else { Ok(None) }
    }

    pub fn life(&mut self) -> Result<Life, Damaged> {
        Ok(Life { version: self.version()?, expires_ms: self.moment()? })
    }

    pub fn context(&mut self) -> Result<Context, Damaged> {
        let mut context = Context::default();
        let mut last = None;
        for _ in 0..self.count()? {
            let dot = self.dot()?;
            if last.replace(dot.node).is_some_and(|last| last >= dot.node) {
                return Err(Damaged("nodes out of order"));
            }
            context.push(dot);
        }
        Ok(context)
    }

    pub fn kind(&mut self) -> Result<Kind, Damaged> {
        match self.byte()? {
            1 => Ok(Kind::List),
            2 => Ok(Kind::Hash),
            3 => Ok(Kind::Set),
            4 => Ok(Kind::SortedSet),
            _ => Err(Damaged("kind of collection")),
        }
    }
}

const TRUNCATED: Damaged = Damaged("it ends too early");
