//! Core: requests as bytes. A template each for GET and SET, of which only the key's digits change.

use crate::options::Proto;

pub const KEY_LEN: usize = 16;
const KEY: &[u8; KEY_LEN] = b"key:000000000000";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    Get,
    Set,
    /// One memcached get of several keys, of which so many are not found yet.
    Several(u32),
}

pub struct Requests {
    get: Template,
    set: Template,
}

struct Template {
    bytes: Vec<u8>,
    /// Where the key begins.
    key_at: usize,
}

impl Requests {
    pub fn new(proto: Proto, value_len: usize) -> Self {
        let value = value(value_len);
        match proto {
            Proto::Resp => Self {
                get: Template::new(b"*2\r\n$3\r\nGET\r\n$16\r\n", b"\r\n"),
                set: Template::new(
                    b"*3\r\n$3\r\nSET\r\n$16\r\n",
                    &[format!("\r\n${value_len}\r\n").as_bytes(), &value, b"\r\n"].concat(),
                ),
            },
            Proto::Mc => Self {
                get: Template::new(b"get ", b"\r\n"),
                set: Template::new(b"set ", &[format!(" 0 0 {value_len}\r\n").as_bytes(), &value, b"\r\n"].concat()),
            },
        }
    }

    pub fn write(&self, asked: Asked, key: u32, out: &mut Vec<u8>) {
        let template = if asked == Asked::Set { &self.set } else { &self.get };
        let start = out.len() + template.key_at;
        out.extend_from_slice(&template.bytes);
        write_digits(key, &mut out[start..start + KEY_LEN]);
    }
}

/// One memcached get of all these keys.
pub fn write_several(keys: impl Iterator<Item = u32>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"get");
    for key in keys {
        out.push(b' ');
        out.extend_from_slice(&key_of(key));
    }
    out.extend_from_slice(b"\r\n");
}

impl Template {
    fn new(head: &[u8], tail: &[u8]) -> Self {
        Self { bytes: [head, KEY, tail].concat(), key_at: head.len() }
    }
}

/// The bytes of a key.
pub fn key_of(key: u32) -> [u8; KEY_LEN] {
    let mut bytes = *KEY;
    write_digits(key, &mut bytes);
    bytes
}

fn write_digits(key: u32, bytes: &mut [u8]) {
    let mut rest = key;
    for digit in bytes.iter_mut().rev() {
        if rest == 0 {
            return;
        }
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Letters that do not compress to nothing.
fn value(len: usize) -> Vec<u8> {
    let mut lot = crate::lot::Lot::new(0x5EED);
    (0..len).map(|_| b'a' + lot.below(26) as u8).collect()
}

#[cfg(test)]
mod tests;
