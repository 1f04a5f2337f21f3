//! Core: membership messages as bytes, in postcard.

use bytes::{Buf, BufMut};
use foca::{Codec, Header, Member};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::identity::Life;

#[derive(Clone, Copy, Debug)]
pub struct PostcardCodec;

impl Codec<Life> for PostcardCodec {
    type Error = postcard::Error;

    fn encode_header(&mut self, header: &Header<Life>, buf: impl BufMut) -> Result<(), Self::Error> {
        put(header, buf)
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<Life>, Self::Error> {
        take(buf)
    }

    fn encode_member(&mut self, member: &Member<Life>, buf: impl BufMut) -> Result<(), Self::Error> {
        put(member, buf)
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<Life>, Self::Error> {
        take(buf)
    }
}

/// Whole or not at all, as the library wants it.
fn put(item: &impl Serialize, mut buf: impl BufMut) -> Result<(), postcard::Error> {
    let bytes = postcard::to_stdvec(item)?;
    if buf.remaining_mut() < bytes.len() {
        return Err(postcard::Error::SerializeBufferFull);
    }
    buf.put_slice(&bytes);
    Ok(())
}

fn take<T: DeserializeOwned>(mut buf: impl Buf) -> Result<T, postcard::Error> {
    let len = buf.remaining();
    let (item, rest) = postcard::take_from_bytes(buf.chunk())?;
    let rest = rest.len();
    buf.advance(len - rest);
    Ok(item)
}
