//! Core: the small parts, written.

use ringway_causality::Version;

use crate::{Context, Dot, Life};

pub(super) fn number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Small ones of either sign are short.
pub(super) fn signed(number_: i64, out: &mut Vec<u8>) {
    number(((number_ << 1) ^ (number_ >> 63)) as u64, out);
}

pub(super) fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub(super) fn dot(dot: Dot, out: &mut Vec<u8>) {
    number(dot.time, out);
    out.extend_from_slice(&dot.node.to_le_bytes());
}

pub(super) fn version(version: Version, out: &mut Vec<u8>) {
    dot(version.into(), out);
}

pub(super) fn moment(at: Option<u64>, out: &mut Vec<u8>) {
    out.push(u8::from(at.is_some()));
    if let Some(at) = at {
        number(at, out);
    }
}

pub(super) fn life(life: Life, out: &mut Vec<u8>) {
    version(life.version, out);
    moment(life.expires_ms, out);
}

pub(super) fn context(context: &Context, out: &mut Vec<u8>) {
    number(context.dots().len() as u64, out);
    context.dots().iter().for_each(|one| dot(*one, out));
}
