//! Core: the words of one command, as places in the bytes they came in.
//!
//! A [`Words`] is made once and used for one command after the other; it allocates only for more words than it ever held. Words
//! of a line may be quoted: those are kept here, without the quotes.

use std::ops::Index;

/// More places than this are given back before the next command.
const KEPT_WORDS_MAX: usize = 4096;
const KEPT_LINE_MAX: usize = 16 * 1024;
/// So many words are put on the stack.
const FEW_WORDS_MAX: usize = 8;

/// Where a command's words are, and how far the parser is with one that is not complete.
#[derive(Debug, Default)]
pub struct Words {
    spans: Vec<Span>,
    /// Words that are not in the input as they are.
    own: Vec<u8>,
    is_own: bool,
    /// Where to go on in an incomplete command; 0: nothing is known.
    pub(super) at: usize,
    /// How many words of an incomplete command are still to come.
    pub(super) missing: usize,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    from: u32,
    to: u32,
}

impl Words {
    pub fn new() -> Self {
        Self::default()
    }

    /// Words that came by another way than the wire.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut all = Self::new();
        all.start_own();
        for word in words {
            all.own.extend_from_slice(word);
            all.end_own_word();
        }
        all
    }

    /// The words found in `input`, which begins where the input of [`super::parse`] began.
    #[inline]
    pub fn args<'a>(&'a self, input: &'a [u8]) -> Args<'a> {
        Args { bytes: if self.is_own { &self.own } else { input }, spans: &self.spans }
    }

    /// Whether it remembers part of a command, so that only this connection may go on with it.
    pub fn is_partial(&self) -> bool {
        self.at > 0
    }

    /// How many words are known.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// What is known of a command that is not complete is forgotten: the next parse begins at its start.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.own.clear();
        (self.is_own, self.at, self.missing) = (false, 0, 0);
        if self.spans.capacity() > KEPT_WORDS_MAX {
            self.spans = Vec::new();
        }
        if self.own.capacity() > KEPT_LINE_MAX {
            self.own = Vec::new();
        }
    }

    /// About how much memory it holds.
    pub fn held_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.own.capacity()
    }

    #[inline]
    pub(super) fn push(&mut self, from: usize, to: usize) {
        self.spans.push(Span { from: from as u32, to: to as u32 });
    }

    pub(super) fn start_own(&mut self) {
        self.clear();
        self.is_own = true;
    }

    pub(super) fn push_own_byte(&mut self, byte: u8) {
        self.own.push(byte);
    }

    /// What was added to the own bytes since the last word is one.
    pub(super) fn end_own_word(&mut self) {
        let from = self.spans.last().map_or(0, |last| last.to as usize);
        self.push(from, self.own.len());
    }
}

/// A command's words: its name and its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| self.word(span))
    }

    /// Without the first `count`; none if there are fewer.
    pub fn skip(&self, count: usize) -> Self {
        Self { bytes: self.bytes, spans: self.spans.get(count..).unwrap_or_default() }
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + use<'a> {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| &bytes[span.from as usize..span.to as usize])
    }

    /// The words as a slice of slices, which costs no memory if they are few.
    #[inline]
    pub fn with_slices<R>(self, work: impl FnOnce(&[&'a [u8]]) -> R) -> R {
        let mut few: [&[u8]; FEW_WORDS_MAX] = [&[]; FEW_WORDS_MAX];
        if self.len() > FEW_WORDS_MAX {
            return work(&self.iter().collect::<Vec<_>>());
        }
        for (slot, word) in few.iter_mut().zip(self.iter()) {
            *slot = word;
        }
        work(&few[..self.len()])
    }

    #[inline]
    fn word(&self, span: &Span) -> &'a [u8] {
        &self.bytes[span.from as usize..span.to as usize]
    }
}

/// Panics past the end, like a slice: the command table has checked how many there are.
impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.word(&self.spans[index])
    }
}
