//! core: what is wrong with a manifest, where, and what to do: the text a person reads.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;

/// A longer line of the manifest is cut where it is quoted. In characters.
const SOURCE_LEN_MAX: usize = 160;

/// A longer message (it quotes what it refuses) is cut. In characters.
const MESSAGE_LEN_MAX: usize = 400;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub file: String,
    /// From 1; 0 when it is about the whole file or directory.
    pub line: usize,
    /// In characters, from 1; 0 when it is about the whole file or directory.
    pub column: usize,
    /// The text of that line, fit to be printed.
    #[serde(default)]
    pub source: String,
    pub message: String,
    #[serde(default)]
    pub help: Option<String>,
}

/// Where something stands in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// From 1; 0 is nowhere in particular.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The text of that line, fit to be printed.
    pub source: String,
}

/// All that is wrong, in the order of the file. Never empty as an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Fault {
    /// A refused value at a place.
    pub fn new(file: &str, place: Place, invalid: Invalid) -> Fault {
        let Place { line, column, source } = place;
        let (message, help) =
            (short(&invalid.message, MESSAGE_LEN_MAX), invalid.help.map(|help| short(&help, MESSAGE_LEN_MAX)));
        Fault { file: file.to_owned(), line, column, source, message, help }
    }
}

impl Place {
    /// Line `line` of a file, from 1, whose text is `source`.
    pub(crate) fn new(line: usize, column: usize, source: &str) -> Place {
        Place { line, column, source: short(source.trim_end(), SOURCE_LEN_MAX) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { file, line, column, source, message, help } = self;
        if *line == 0 {
            write!(f, "{file}: {message}")?;
            return help.as_ref().map_or(Ok(()), |help| write!(f, "\n  = help: {help}"));
        }
        let gutter = line.to_string().len();
        write!(f, "{file}:{line}:{column}: {message}\n{:gutter$} |\n{line} | {source}", "")?;
        match help {
            Some(help) => write!(f, "\n{:gutter$} |\n{:gutter$} = help: {help}", "", ""),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

/// The beginning of a text. Manifests come from strangers: what is quoted of them must not steer a terminal or fill it.
fn short(text: &str, len_max: usize) -> String {
    let steers =
        |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut short: String = text.chars().take(len_max).map(|c| if steers(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(len_max).is_some() {
        short.push('…');
    }
    short
}
