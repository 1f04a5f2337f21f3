//! Core: deltas as bytes.

use bytes::Bytes;

use super::collection::{read_position, write_position, write_score};
use super::{Damaged, FORMAT, Reader, write};
use crate::{Change, Delta};

const CLEAR: u8 = 0;
const FIELD: u8 = 1;
const MEMBER: u8 = 2;
const SCORE: u8 = 3;
const ITEM: u8 = 4;
const GONE: u8 = 5;
const ITEM_GONE: u8 = 6;

impl Delta {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        write::context(&self.before, out);
        write::version(self.at, out);
        write::version(self.floor, out);
        out.push(self.kind as u8);
        out.push(u8::from(self.expires_ms.is_some()));
        if let Some(expires_ms) = self.expires_ms {
            write::moment(expires_ms, out);
        }
        write::number(self.changes.len() as u64, out);
        self.changes.iter().for_each(|change| write_change(change, out));
    }

    /// All of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader::new(bytes);
        reader.expect_format()?;
        let (before, at, floor) = (reader.context()?, reader.version()?, reader.version()?);
        let kind = reader.kind()?;
        let expires_ms = if reader.flag()? { Some(reader.moment()?) } else { None };
        let mut changes = Vec::new();
        for _ in 0..reader.count()? {
            changes.push(read_change(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self { before, at, floor, kind, changes, expires_ms })
    }
}

fn write_change(change: &Change, out: &mut Vec<u8>) {
    match change {
        Change::Clear => out.push(CLEAR),
        Change::Field { field, value } => {
            out.push(FIELD);
            write::bytes(field, out);
            write::bytes(value, out);
        }
        Change::Member(member) => {
            out.push(MEMBER);
            write::bytes(member, out);
        }
        Change::Score { member, score } => {
            out.push(SCORE);
            write::bytes(member, out);
            write_score(*score, out);
        }
        Change::Item { position, value } => {
            out.push(ITEM);
            write_position(position, out);
            write::bytes(value, out);
        }
        Change::Gone(element) => {
            out.push(GONE);
            write::bytes(element, out);
        }
        Change::ItemGone(position) => {
            out.push(ITEM_GONE);
            write_position(position, out);
        }
    }
}

fn read_change(reader: &mut Reader<'_>) -> Result<Change, Damaged> {
    match reader.byte()? {
        CLEAR => Ok(Change::Clear),
        FIELD => Ok(Change::Field { field: reader.bytes()?.into(), value: reader.bytes()?.into() }),
        MEMBER => Ok(Change::Member(reader.bytes()?.into())),
        SCORE => Ok(Change::Score { member: reader.bytes()?.into(), score: reader.score()? }),
        ITEM => Ok(Change::Item { position: read_position(reader)?, value: Bytes::copy_from_slice(reader.bytes()?) }),
        GONE => Ok(Change::Gone(reader.bytes()?.into())),
        ITEM_GONE => Ok(Change::ItemGone(read_position(reader)?)),
        _ => Err(Damaged("sort of change")),
    }
}
