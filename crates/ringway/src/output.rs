//! What people see: tables, sizes, ages, errors. Colour only on a terminal, and never the only difference.

use std::io::IsTerminal as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

/// A table with a head, without frame: easy to read, easy to cut.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head.iter().copied());
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Prints a line for [`say!`]. A closed pipe (`| head`) is a normal end, not a panic.
pub fn print_line(text: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// `println!` for everything the command line says on standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::print_line(format_args!($($text)*)) };
}
pub(crate) use say;

pub fn print_json(value: &impl Serialize) -> Result<()> {
    say!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// On a terminal, unless its user has said otherwise (no-color.org).
pub fn has_colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// █████░░░░░ of `len` characters.
pub fn bar(share: f64, len: usize) -> String {
    let filled = if share.is_finite() { ((share * len as f64).round().max(0.0) as usize).min(len) } else { 0 };
    "█".repeat(filled) + &"░".repeat(len - filled)
}

pub fn print_error(error: &anyhow::Error) {
    let label = if std::io::stderr().is_terminal() { "\x1b[1;31merror\x1b[0m" } else { "error" };
    let text = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    eprintln!("{label}: {text}");
}

/// 1.5 MB
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// 950, 12.3 k, 4.0 M
pub fn count(count: u64) -> String {
    const UNITS: [&str; 4] = ["", " k", " M", " G"];
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 9999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { count.to_string() } else { format!("{value:.1}{}", UNITS[unit]) }
}

/// As many of them as there are: `1 key`, `12.3 k keys`. Not for nouns with a plural of their own.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// 0.4 s, 12 s, 3 min, 2.5 h
pub fn span(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{:.1} s", ms as f64 / 1000.0),
        10_000..120_000 => format!("{} s", ms / 1000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{:.1} h", ms as f64 / 3_600_000.0),
    }
}

/// 3m, 2h, 5d since that moment.
pub fn age(since_ms: u64) -> String {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64;
    let seconds = now_ms.saturating_sub(since_ms) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// 12:03:04.567 UTC
pub fn clock(at_ms: u64) -> String {
    let (seconds, ms) = (at_ms / 1000 % 86_400, at_ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_right() {
        assert_eq!([0, 999, 1000, 1_500_000, 999_999].map(bytes), ["0 B", "999 B", "1.0 kB", "1.5 MB", "1.0 MB"]);
    }

    #[test]
    fn a_bar_is_as_full_as_its_share_and_never_longer() {
        assert_eq!([0.0, 0.25, 1.0].map(|share| bar(share, 4)), ["░░░░", "█░░░", "████"]);
        assert_eq!([f64::NAN, -1.0, 7.0].map(|share| bar(share, 2)), ["░░", "░░", "██"]);
    }

    #[test]
    fn counts_and_spans_are_short_and_right() {
        assert_eq!([0, 9999, 12_345, 4_000_000].map(count), ["0", "9999", "12.3 k", "4000.0 k"]);
        assert_eq!([400, 12_900, 180_000, 9_000_000].map(span), ["0.4 s", "12 s", "3 min", "2.5 h"]);
    }

    #[test]
    fn a_table_has_no_trailing_blanks() {
        let text = table(&["NAME", "STATE"], [vec!["n1".to_owned(), "up".to_owned()]]);
        expect_test::expect![[r#"
            NAME  STATE
            n1    up"#]]
        .assert_eq(&text);
    }
}
