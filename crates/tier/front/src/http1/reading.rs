//! Core: from the bytes of a head to a request, or to the reason why it is none.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use ringway_ports::{Body, empty};
use ringway_protocol::http1::{BadHead, BodyDecoder, BodyLength, Decoded, FieldSpan, HeadLimits, RequestHead};

use super::upload::{Uploader, upload};
use crate::config::Limits;
use crate::fault::Fault;

/// Header lines that are added to a request on its way.
const ADDED: usize = 8;

/// What the connection must remember of a request to write its answer.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub is_head: bool,
    pub is_1_1: bool,
    pub keeps_alive: bool,
    pub upgrades: bool,
}

/// A request's body, as it comes in.
pub struct Upload {
    pub uploader: Uploader,
    pub decoder: BodyDecoder,
    /// The client waits to be told to go on.
    pub expects_continue: bool,
}

pub fn head_limits(limits: &Limits) -> HeadLimits {
    HeadLimits { len_max: limits.head_len_max, target_len_max: limits.target_len_max, fields_max: limits.headers_max }
}

pub fn fault_of(bad: BadHead, limits: &HeadLimits) -> Fault {
    match bad {
        BadHead::Malformed(why) => Fault::BadRequest(why),
        BadHead::TooLarge => Fault::HeadTooLarge,
        BadHead::TargetTooLong => Fault::TargetTooLong(limits.target_len_max),
        BadHead::Version => Fault::Version,
    }
}

/// `raw`: the bytes of the head. Values are parts of one copy of it.
pub fn request_of(
    head: &RequestHead<'_>,
    raw: &[u8],
    fields: &[FieldSpan],
) -> Result<(Request<Body>, Asked, Option<Upload>), Fault> {
    let bytes = Bytes::copy_from_slice(raw);
    let method = Method::from_bytes(head.method).map_err(|_| Fault::BadRequest("the method is not a word"))?;
    let target_at = head.method.len() + 1;
    let target = bytes.slice(target_at..target_at + head.target.len());
    let uri = Uri::from_maybe_shared(target).map_err(|_| Fault::BadRequest("the address is not one"))?;
    let mut headers = HeaderMap::with_capacity(fields.len() + ADDED);
    for field in fields {
        let (name, value) = (&raw[field.name()], field.value());
        let name = HeaderName::from_bytes(name).map_err(|_| Fault::HeadTooLarge)?;
        let part = if value.is_empty() { Bytes::new() } else { bytes.slice(value) };
        let value = HeaderValue::from_maybe_shared(part);
        headers.append(name, value.map_err(|_| Fault::BadRequest("a header has control characters"))?);
    }
    let asked = Asked {
        is_head: method == Method::HEAD,
        is_1_1: head.is_1_1,
        keeps_alive: head.keeps_alive,
        upgrades: head.upgrades || method == Method::CONNECT,
    };
    let (body, coming) = body_of(head);
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    *request.version_mut() = if head.is_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    Ok((request, asked, coming))
}

fn body_of(head: &RequestHead<'_>) -> (Body, Option<Upload>) {
    let left = match head.body {
        BodyLength::None => return (empty(), None),
        BodyLength::Known(len) => Some(len),
        BodyLength::Chunked | BodyLength::UntilClose => None,
    };
    let (uploader, body) = upload(left);
    let decoder = BodyDecoder::new(head.body);
    let expects_continue = head.expects_continue && head.is_1_1;
    (Body::new(body), Some(Upload { uploader, decoder, expects_continue }))
}

/// How far [`Upload::feed`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// More bytes are needed.
    More,
    /// Something was handed over.
    Some,
    /// That was all.
    End,
}

impl Upload {
    /// Hands over the next piece of what has come.
    pub fn feed(&mut self, read: &mut BytesMut) -> Fed {
        match self.decoder.decode(read) {
            Ok(Decoded::More) => Fed::More,
            Ok(Decoded::Data(data)) => {
                self.uploader.push(data);
                if self.decoder.is_end() { self.ended(Ok(())) } else { Fed::Some }
            }
            Ok(Decoded::Trailers(trailers)) => {
                self.uploader.push_trailers(trailers);
                self.ended(Ok(()))
            }
            Ok(Decoded::End) => self.ended(Ok(())),
            Err(_) => self.ended(Err("its chunks are malformed")),
        }
    }

    /// The client has hung up.
    pub fn cut_short(&mut self) -> Fed {
        self.ended(Err("it was cut short"))
    }

    /// Malformed or cut short: it is clear where it ends only if it has come whole.
    pub fn is_whole(&self) -> bool {
        self.decoder.is_end()
    }

    fn ended(&mut self, how: Result<(), &'static str>) -> Fed {
        self.uploader.end(how);
        Fed::End
    }
}
