//! Core: the first line of a script that says what it wants (`#!lua flags=no-writes`).

use crate::error::Error;

/// What a script declares of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags {
    /// It has such a line at all. Scripts without may do what scripts always could.
    pub declared: bool,
    pub no_writes: bool,
    pub allow_oom: bool,
    pub allow_stale: bool,
    pub no_cluster: bool,
    pub allow_cross_slot_keys: bool,
}

/// The flags, and how many bytes of the body are that line without its line break (so that the lines keep their numbers).
pub fn read(body: &[u8]) -> Result<(Flags, usize), Error> {
    if !body.starts_with(b"#!") {
        return Ok((Flags::default(), 0));
    }
    // Redis looks for the end in a C string: a NUL ends it.
    let visible = memchr::memchr(0, body).map_or(body, |end| &body[..end]);
    let end = memchr::memchr(b'\n', visible).ok_or_else(|| Error::Shebang("Invalid script shebang".into()))?;
    let line = String::from_utf8_lossy(&body[..end]).into_owned();
    let mut words = line.split([' ', '\t', '\r', '\u{b}', '\u{c}']).filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or_default();
    if engine != "#!lua" {
        return Err(Error::Shebang(format!("Unexpected engine in script shebang: {engine}")));
    }
    let mut flags = Flags { declared: true, ..Flags::default() };
    for word in words {
        let list =
            word.strip_prefix("flags=").ok_or_else(|| Error::Shebang(format!("Unknown lua shebang option: {word}")))?;
        // Nothing behind the sign is no flags, as in Redis.
        for name in list.split(',').filter(|_| !list.is_empty()) {
            flags.declare(name)?;
        }
    }
    Ok((flags, end))
}

impl Flags {
    fn declare(&mut self, name: &str) -> Result<(), Error> {
        let flag = match name {
            "no-writes" => &mut self.no_writes,
            "allow-oom" => &mut self.allow_oom,
            "allow-stale" => &mut self.allow_stale,
            "no-cluster" => &mut self.no_cluster,
            "allow-cross-slot-keys" => &mut self.allow_cross_slot_keys,
            _ => return Err(Error::Shebang(format!("Unexpected flag in script shebang: {name}"))),
        };
        *flag = true;
        Ok(())
    }
}
