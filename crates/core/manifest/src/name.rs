//! core: the rule for the names of apps, services, functions and buckets.
//!
//! Names become host names (`http://NAME.internal/`), user names of the data doors and labels of metrics, so they are
//! what all of those allow: `[a-z][a-z0-9-]{0,39}`.

use crate::invalid::Invalid;

/// In bytes, which are characters here.
const NAME_LEN_MAX: usize = 40;

/// Whether `name` may be used; if not, the help is the nearest name that may.
pub fn check_name(name: &str) -> Result<(), Invalid> {
    if is_name(name) {
        return Ok(());
    }
    let invalid = Invalid::new(format!("`{}` cannot be a name", name.escape_debug()));
    let rule = format!("a name is at most {NAME_LEN_MAX} of a-z, 0-9 and `-`, and starts with a letter");
    Err(match correct_name(name) {
        Some(corrected) => invalid.help(format!("write `{corrected}`: {rule}")),
        None => invalid.help(rule),
    })
}

/// The nearest name that may be used, if anything of it is left.
pub(crate) fn correct_name(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let mut corrected = String::new();
    for c in lower.chars().skip_while(|c| !c.is_ascii_lowercase()) {
        let c = if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        if c != '-' || !corrected.ends_with('-') {
            corrected.push(c);
        }
    }
    corrected.truncate(NAME_LEN_MAX);
    let corrected = corrected.trim_end_matches('-');
    (!corrected.is_empty()).then(|| corrected.to_owned())
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.len() <= NAME_LEN_MAX && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
