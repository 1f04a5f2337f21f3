//! Core: request paths that are safe to match against routes and to look up on a disk.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::fault::Fault;

/// The path as routes see it: still percent-encoded, without empty and `.` parts. Paths that try to climb, or that carry a NUL
/// (both in any encoding), are refused for every target: no app gets to be careless with them.
pub fn tidy(raw: &str) -> Result<Cow<'_, str>, Fault> {
    if !raw.starts_with('/') {
        return Err(Fault::BadRequest("the address does not start with a slash"));
    }
    let parts = || raw[1..].split('/');
    parts().try_for_each(check_part)?;
    let last = raw[1..].matches('/').count();
    let is_untidy = |(at, part): (usize, &str)| part == "." || (part.is_empty() && at != last);
    if !parts().enumerate().any(is_untidy) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut tidied = String::with_capacity(raw.len());
    for (_, part) in parts().enumerate().filter(|part| !is_untidy(*part)) {
        tidied.push('/');
        tidied.push_str(part);
    }
    if tidied.is_empty() || (raw.ends_with("/.") && !tidied.ends_with('/')) {
        tidied.push('/');
    }
    Ok(Cow::Owned(tidied))
}

fn check_part(part: &str) -> Result<(), Fault> {
    if part == ".." {
        return Err(Fault::BadRequest("the path has a `..` part"));
    }
    if !part.contains('%') {
        return Ok(());
    }
    let decoded: Vec<u8> = percent_decode_str(part).collect();
    if decoded.contains(&0) {
        return Err(Fault::BadRequest("the path has a NUL byte"));
    }
    if decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|piece| piece == b"..") {
        return Err(Fault::BadRequest("the path has a `..` part"));
    }
    Ok(())
}

/// The file that the rest of a tidy path (after the mount) means, relative to the served directory. `None`: one that is never
/// served, because it is hidden (`.well-known` is not) or its name has an encoded slash. Empty for the directory itself.
pub fn file_of(rest: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in rest.split('/').filter(|part| !part.is_empty()) {
        let decoded: Vec<u8> = percent_decode_str(part).collect();
        let hidden = decoded.first() == Some(&b'.') && decoded != b".well-known";
        if hidden || decoded.contains(&b'/') {
            return None;
        }
        path.push(OsString::from_vec(decoded));
    }
    Some(path)
}

#[cfg(test)]
mod tests;
