//! Core: registers and counters as bytes.

use bytes::Bytes;

use super::{Damaged, Reader, write};
use crate::{Counter, Register, Sum};

const HAS_VALUE: u8 = 1;
const HAS_MARKS: u8 = 2;

pub(super) fn write_register(register: &Register, out: &mut Vec<u8>) {
    write::version(register.version, out);
    write::moment(register.expires_ms, out);
    let has_marks = register.marks != 0;
    out.push((u8::from(register.value.is_some()) * HAS_VALUE) | (u8::from(has_marks) * HAS_MARKS));
    if has_marks {
        write::number(register.marks, out);
    }
    out.extend_from_slice(register.value.as_deref().unwrap_or_default());
}

pub(super) fn read_register(reader: &mut Reader<'_>) -> Result<Register, Damaged> {
    let version = reader.version()?;
    let expires_ms = reader.moment()?;
    let form = reader.byte()?;
    if form & !(HAS_VALUE | HAS_MARKS) != 0 {
        return Err(Damaged("form of register"));
    }
    let marks = if form & HAS_MARKS != 0 { reader.number()? } else { 0 };
    if form & HAS_MARKS != 0 && marks == 0 {
        return Err(Damaged("marks that are none"));
    }
    let value = (form & HAS_VALUE != 0).then(|| Bytes::copy_from_slice(reader.rest()));
    Ok(Register { version, value, expires_ms, marks })
}

pub(super) fn write_counter(counter: &Counter, out: &mut Vec<u8>) {
    write::version(counter.base(), out);
    write::signed(counter.start(), out);
    write::life(counter.life(), out);
    write::number(counter.sums().len() as u64, out);
    for one in counter.sums() {
        out.extend_from_slice(&one.node.to_le_bytes());
        write::number(one.at, out);
        write::signed(one.sum, out);
    }
}

pub(super) fn read_counter(reader: &mut Reader<'_>) -> Result<Counter, Damaged> {
    let (base, start, life) = (reader.version()?, reader.signed()?, reader.life()?);
    let mut sums: Vec<Sum> = Vec::new();
    for _ in 0..reader.count()? {
        let one = Sum { node: reader.fixed()?, at: reader.number()?, sum: reader.signed()? };
        if sums.last().is_some_and(|last| last.node >= one.node) {
            return Err(Damaged("nodes out of order"));
        }
        sums.push(one);
    }
    Ok(Counter::from_parts(base, start, life, sums))
}
