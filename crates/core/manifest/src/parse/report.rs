//! core: collects what is wrong while a manifest is walked, and knows which line a byte is on.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::fault::{Fault, Place};
use crate::invalid::Invalid;

/// Where things in the text are, in bytes.
pub(super) type Span = Range<usize>;

/// What was found wrong so far.
pub(super) struct Report {
    file: String,
    text: String,
    /// Byte offset of the first character of each line.
    line_starts: Vec<usize>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    /// By dotted path (`function.price.wasm`): where what [`crate::FileNeeded`] names stands.
    places: BTreeMap<String, Place>,
}

impl Report {
    pub(super) fn new(file: &str, text: &str) -> Report {
        let after_newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        Report {
            file: file.to_owned(),
            text: text.to_owned(),
            line_starts: std::iter::once(0).chain(after_newlines).collect(),
            faults: Vec::new(),
            warnings: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    pub(super) fn fault(&mut self, span: &Span, invalid: Invalid) {
        let fault = self.at(span, invalid);
        self.faults.push(fault);
    }

    pub(super) fn warn(&mut self, span: &Span, invalid: Invalid) {
        let warning = self.at(span, invalid);
        self.warnings.push(warning);
    }

    /// A fault of the file as a whole.
    pub(super) fn fault_of_file(&mut self, invalid: Invalid) {
        self.faults.push(Fault::new(&self.file, Place::default(), invalid));
    }

    pub(super) fn warn_of_file(&mut self, invalid: Invalid) {
        self.warnings.push(Fault::new(&self.file, Place::default(), invalid));
    }

    /// Notes where a value stands, for checks that come after parsing.
    pub(super) fn remember(&mut self, at: String, span: &Span) {
        let place = self.place(span);
        self.places.insert(at, place);
    }

    pub(super) fn line(&self, span: &Span) -> usize {
        self.line_starts.partition_point(|start| *start <= span.start)
    }

    /// Faults, warnings (both in the order of the file), places.
    pub(super) fn finish(mut self) -> (Vec<Fault>, Vec<Fault>, BTreeMap<String, Place>) {
        self.faults.sort_by_key(|fault| (fault.line, fault.column));
        self.warnings.sort_by_key(|fault| (fault.line, fault.column));
        (self.faults, self.warnings, self.places)
    }

    fn at(&self, span: &Span, invalid: Invalid) -> Fault {
        Fault::new(&self.file, self.place(span), invalid)
    }

    fn place(&self, span: &Span) -> Place {
        let line = self.line(span);
        let start = self.line_starts[line - 1];
        let before = self.text.get(start..span.start).map_or(0, |before| before.chars().count());
        let source = self.text[start..].lines().next().unwrap_or("");
        Place::new(line, before + 1, source)
    }
}
