//! Core: a pattern of a command and a random command of it.

use super::random::Random;
use super::words::{self, Keys};

/// One command: its words, and which of them are keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    pub words: Vec<Vec<u8>>,
    pub keys: Vec<usize>,
}

impl Command {
    pub fn of(words: &[&str]) -> Self {
        Self { words: words.iter().map(|word| word.as_bytes().to_vec()).collect(), keys: Vec::new() }
    }

    /// Its name in capitals; with its subcommand for those that have one.
    pub fn name(&self) -> String {
        let upper = |at: usize| self.words.get(at).map(|word| String::from_utf8_lossy(word).to_uppercase());
        let name = upper(0).unwrap_or_default();
        match name.as_str() {
            "CLIENT" | "SCRIPT" => format!("{name} {}", upper(1).unwrap_or_default()),
            _ => name,
        }
    }
}

/// A random command of a pattern.
pub fn fill(random: &mut Random, pattern: &str, keys: Keys) -> Command {
    let mut command = Command::default();
    let mut rest = pattern;
    sequence(random, &mut rest, keys, Some(&mut command));
    assert!(rest.is_empty(), "a pattern is whole: {pattern}");
    command
}

/// Words and groups until the end of the group or of the pattern. Without `out` they are only passed over.
fn sequence(random: &mut Random, rest: &mut &str, keys: Keys, mut out: Option<&mut Command>) {
    loop {
        *rest = rest.trim_start_matches(' ');
        if rest.is_empty() || rest.starts_with(['|', ']']) {
            return;
        }
        let start = *rest;
        let mut probe = start;
        item(random, &mut probe, keys, None);
        let sign = probe.chars().next().filter(|sign| "?*+".contains(*sign));
        let times = match (out.is_some(), sign) {
            (false, _) => 0,
            (true, None) => 1,
            (true, Some('?')) => random.below(2),
            (true, Some('*')) => random.below(3),
            (true, Some(_)) => 1 + random.below(3),
        };
        for _ in 0..times {
            let mut again = start;
            item(random, &mut again, keys, out.as_deref_mut());
        }
        *rest = &probe[sign.map_or(0, char::len_utf8)..];
    }
}

/// One word or one group of alternatives.
fn item(random: &mut Random, rest: &mut &str, keys: Keys, mut out: Option<&mut Command>) {
    let Some(inside) = rest.strip_prefix('[') else {
        let end = rest.find([' ', '|', ']', '?', '*', '+']).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        *rest = after;
        if let Some(command) = out {
            push(random, text, keys, command);
        }
        return;
    };
    let chosen = random.below(alternatives(inside));
    let mut at = 0;
    *rest = inside;
    loop {
        let skipped = at != chosen;
        sequence(random, rest, keys, if skipped { None } else { out.as_deref_mut() });
        at += 1;
        let closes = rest.starts_with(']');
        *rest = &rest[1..];
        if closes {
            return;
        }
    }
}

fn push(random: &mut Random, text: &str, keys: Keys, command: &mut Command) {
    let Some(kind) = text.strip_prefix('$') else {
        return command.words.push(text.trim_matches('"').as_bytes().to_vec());
    };
    let (word, is_key) = words::word(random, kind, keys);
    if is_key {
        command.keys.push(command.words.len());
    }
    command.words.push(word);
}

/// How many alternatives the group has whose inside this begins with.
fn alternatives(inside: &str) -> usize {
    let mut depth = 0;
    let mut count = 1;
    for sign in inside.chars() {
        match sign {
            '[' => depth += 1,
            ']' if depth == 0 => return count,
            ']' => depth -= 1,
            '|' if depth == 0 => count += 1,
            _ => {}
        }
    }
    panic!("a group is closed: {inside}")
}
