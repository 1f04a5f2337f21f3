//! core: one table of a manifest being read: known keys are taken by type, the rest is reported as unknown.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Report, Span};
use crate::bytes::Bytes;
use crate::duration::parse_duration;
use crate::guess::did_you_mean;
use crate::invalid::Invalid;

/// A table. Take what is known, then [`Section::finish`].
pub(super) struct Section<'r, 'd> {
    pub(super) report: &'r mut Report,
    /// As messages call it, `[service.web]`; empty for the top.
    title: String,
    /// Dotted path, for [`Report::remember`].
    at: String,
    /// Its header or its key.
    span: Span,
    table: &'d DeTable<'d>,
    known: Vec<&'static str>,
}

/// A table under its name, as in `[service.NAME]`.
pub(super) struct Named<'d> {
    pub(super) name: &'d str,
    pub(super) span: Span,
    table: &'d DeTable<'d>,
}

impl<'r, 'd> Section<'r, 'd> {
    pub(super) fn top(report: &'r mut Report, table: &'d DeTable<'d>) -> Self {
        Section { report, title: String::new(), at: String::new(), span: 0..0, table, known: Vec::new() }
    }

    /// The section of an element of [`Section::named`].
    pub(super) fn of_named(&mut self, kind: &str, named: &Named<'d>) -> Section<'_, 'd> {
        let at = format!("{kind}.{}", named.name);
        let (title, span) = (format!("[{at}]"), named.span.clone());
        Section { report: self.report, title, at, span, table: named.table, known: Vec::new() }
    }

    /// Whether the key is there, of whatever type.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A key's value, of which nobody is to think yet that it is known.
    pub(super) fn peek(&self, key: &str) -> Option<&'d DeValue<'d>> {
        self.table.get(key).map(Spanned::get_ref)
    }

    /// Where a key's value is; the whole section if there is no such key.
    pub(super) fn span_of(&self, key: &str) -> Span {
        self.table.get(key).map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// Where the section itself starts.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// A fault at a key's value.
    pub(super) fn fault(&mut self, key: &str, invalid: Invalid) {
        let span = self.span_of(key);
        self.report.fault(&span, invalid);
    }

    pub(super) fn warn(&mut self, key: &str, invalid: Invalid) {
        let span = self.span_of(key);
        self.report.warn(&span, invalid);
    }

    /// Notes where the value of a key stands, under `SECTION.KEY`.
    pub(super) fn remember(&mut self, key: &str) {
        let (at, span) = (format!("{}.{key}", self.at), self.span_of(key));
        self.report.remember(at, &span);
    }

    /// ` in [service.web]`
    pub(super) fn place(&self) -> String {
        if self.title.is_empty() { String::new() } else { format!(" in {}", self.title) }
    }

    /// A fault unless the key is there.
    pub(super) fn require(&mut self, key: &'static str, example: &str) {
        if !self.has(key) {
            let invalid =
                Invalid::new(format!("missing `{key}`{}", self.place())).help(format!("add `{key} = {example}`"));
            let span = self.span.clone();
            self.report.fault(&span, invalid);
        }
    }

    pub(super) fn value(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// A string that `read` understands.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, expected, value);
            return None;
        };
        match read(text) {
            Ok(read) => Some(read),
            Err(invalid) => {
                self.refuse(key, &value.span(), invalid);
                None
            }
        }
    }

    pub(super) fn string(&mut self, key: &'static str) -> Option<String> {
        self.read(key, "a string", |text| Ok(text.to_owned()))
    }

    /// A command line.
    pub(super) fn command(&mut self, key: &'static str) -> Option<String> {
        self.read(key, "a command line in quotes", |text| {
            if text.trim().is_empty() || text.contains('\0') {
                return Err(Invalid::new("the command is empty").help("write the command line that starts it"));
            }
            Ok(text.to_owned())
        })
    }

    /// A span of time that is something.
    pub(super) fn timeout(&mut self, key: &'static str) -> Option<Duration> {
        self.read(key, "a duration such as \"10s\"", |text| {
            let duration = parse_duration(text)?;
            if duration.is_zero() { Err(Invalid::new("it must be more than 0")) } else { Ok(duration) }
        })
    }

    /// A size that is something.
    pub(super) fn bytes(&mut self, key: &'static str) -> Option<Bytes> {
        self.read(key, "a size such as \"64MB\"", |text| {
            let bytes: Bytes = text.parse()?;
            if bytes == Bytes(0) { Err(Invalid::new("it must be more than 0")) } else { Ok(bytes) }
        })
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, "true or false", value);
        }
        flag
    }

    pub(super) fn count(&mut self, key: &'static str, allowed: RangeInclusive<u32>) -> Option<u32> {
        let value = self.value(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, "a whole number", value);
            return None;
        };
        let number =
            u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| allowed.contains(number));
        if number.is_none() {
            let message = format!("{integer} is not between {} and {}", allowed.start(), allowed.end());
            self.refuse(key, &value.span(), Invalid::new(message));
        }
        number
    }

    /// One word of a few.
    pub(super) fn choice<T: Copy + Display>(&mut self, key: &'static str, choices: &[T]) -> Option<T> {
        self.read(key, "a word in quotes", |text| {
            let words: Vec<String> = choices.iter().map(ToString::to_string).collect();
            if let Some(found) = words.iter().position(|word| word == text) {
                return Ok(choices[found]);
            }
            let help = did_you_mean(text, words.iter().map(String::as_str), "it can be");
            Err(Invalid { message: format!("`{text}` is not known"), help })
        })
    }

    /// An array of strings that `check` lets pass.
    pub(super) fn strings(&mut self, key: &'static str, check: impl Fn(&str) -> Result<(), Invalid>) -> Vec<String> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, "an array of strings", value);
            return Vec::new();
        };
        let mut strings = Vec::new();
        for element in array.iter() {
            match element.get_ref().as_str().map(|text| (text, check(text))) {
                None => self.wrong_type(key, "strings", element),
                Some((_, Err(invalid))) => self.refuse(key, &element.span(), invalid),
                Some((text, Ok(()))) => strings.push(text.to_owned()),
            }
        }
        strings
    }

    /// A table of strings, each of which `check` (key, value) lets pass. All its keys are the writer's own.
    pub(super) fn string_map(
        &mut self,
        key: &'static str,
        check: impl Fn(&str, &str) -> Result<(), Invalid>,
    ) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        for (name, value) in self.table(key, "a table").into_iter().flatten() {
            let shown = format!("{key}.{}", name.get_ref());
            match value.get_ref().as_str().map(|text| (text, check(name.get_ref(), text))) {
                None => self.wrong_type(&shown, "a string", value),
                Some((_, Err(invalid))) => self.refuse(&shown, &name.span(), invalid),
                Some((text, Ok(()))) => {
                    map.insert(name.get_ref().to_string(), text.to_owned());
                }
            }
        }
        map
    }

    /// The tables of a table, by name: `[KIND.NAME]`.
    pub(super) fn named(&mut self, kind: &'static str) -> Vec<Named<'d>> {
        let mut all = Vec::new();
        for (name, value) in self.table(kind, "a table").into_iter().flatten() {
            let span = name.span();
            match value.get_ref().as_table() {
                Some(table) => all.push(Named { name: name.get_ref(), span, table }),
                None if is_free(name.get_ref()) => {}
                None => {
                    let message = format!("`{}` stands in [{kind}], which has tables only", name.get_ref());
                    let help = format!("give it a name and put `{}` below `[{kind}.NAME]`", name.get_ref());
                    self.report.fault(&span, Invalid::new(message).help(help));
                }
            }
        }
        all.retain(|named| !is_free(named.name));
        all
    }

    /// A table below this one.
    pub(super) fn section(&mut self, key: &'static str, expected: &str) -> Option<Section<'_, 'd>> {
        let table = self.table(key, expected)?;
        let (title, at) = if self.title.is_empty() {
            (format!("[{key}]"), key.to_owned())
        } else {
            (format!("`{key}` of {}", self.title), format!("{}.{key}", self.at))
        };
        let span = self.key_span(key);
        Some(Section { report: self.report, title, at, span, table, known: Vec::new() })
    }

    /// Each table of an array of tables, `[[KEY]]`.
    pub(super) fn each(&mut self, key: &'static str, mut read: impl FnMut(Section<'_, 'd>)) {
        let Some(value) = self.value(key) else { return };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, &format!("`[[{key}]]`"), value);
            return;
        };
        for (i, element) in array.iter().enumerate() {
            let Some(table) = element.get_ref().as_table() else {
                self.wrong_type(key, "tables", element);
                continue;
            };
            let (title, at) = (format!("[[{key}]]"), format!("{key}.{i}"));
            read(Section { report: self.report, title, at, span: element.span(), table, known: Vec::new() });
        }
    }

    /// Reports the keys that nobody took. `x-*` is free.
    pub(super) fn finish(self) {
        let known = || self.known.iter().copied();
        for (key, value) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if known().any(|known| known == name) || is_free(name) {
                continue;
            }
            let is_section = self.title.is_empty() && (value.get_ref().is_table() || value.get_ref().is_array());
            let (message, list) = match (is_section, value.get_ref().is_array()) {
                (true, true) => (format!("unknown section [[{name}]]"), "what there is"),
                (true, false) => (format!("unknown section [{name}]"), "what there is"),
                (false, _) => (format!("unknown key `{name}`{}", self.place()), "known keys"),
            };
            let help = did_you_mean(name, known(), list);
            self.report.fault(&key.span(), Invalid { message, help });
        }
    }

    pub(super) fn wrong_type(&mut self, key: &str, expected: &str, value: &Spanned<DeValue<'_>>) {
        let found = value.get_ref();
        let message = format!("expected {expected} for `{key}`{}, found {}", self.place(), describe(found));
        let quotable = matches!(found, DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_));
        let mut invalid = Invalid::new(message);
        if expected.starts_with("a string") && quotable {
            invalid = invalid.help("put it in quotes");
        }
        self.report.fault(&value.span(), invalid);
    }

    /// A value of the right type that is no good.
    pub(super) fn refuse(&mut self, key: &str, span: &Span, invalid: Invalid) {
        let message = format!("`{key}`{}: {}", self.place(), invalid.message);
        self.report.fault(span, Invalid { message, help: invalid.help });
    }

    fn table(&mut self, key: &'static str, expected: &str) -> Option<&'d DeTable<'d>> {
        let value = self.value(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, expected, value);
        }
        table
    }

    fn key_span(&self, key: &str) -> Span {
        self.table.get_key_value(key).map_or_else(|| self.span.clone(), |(key, _)| key.span())
    }
}

/// Keys that Ringway promises never to look at.
fn is_free(key: &str) -> bool {
    key.starts_with("x-")
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string \"{text}\""),
        DeValue::Integer(integer) => format!("the number {integer}"),
        DeValue::Float(float) => format!("the number {float}"),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
