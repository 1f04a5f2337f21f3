//! Core: why a command is refused, in the words of Redis 7.

use std::borrow::Cow;

use bytes::Bytes;

use crate::Error;

/// The text of an error reply, code first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fail(pub(crate) Cow<'static, str>);

/// What a command's function returns; its reply is in the writer if it went well.
pub(crate) type Ran<T = ()> = Result<T, Fail>;

impl Fail {
    pub(crate) const SYNTAX: Fail = Fail::new("ERR syntax error");
    pub(crate) const WRONG_TYPE: Fail = Fail::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub(crate) const NOT_AN_INTEGER: Fail = Fail::new("ERR value is not an integer or out of range");
    pub(crate) const NOT_A_FLOAT: Fail = Fail::new("ERR value is not a valid float");
    pub(crate) const NO_SUCH_KEY: Fail = Fail::new("ERR no such key");
    pub(crate) const OVERFLOW: Fail = Fail::new("ERR increment or decrement would overflow");
    pub(crate) const TOO_LONG: Fail = Fail::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub(crate) const OUT_OF_RANGE: Fail = Fail::new("ERR index out of range");
    pub(crate) const CROSS_SLOT: Fail = Fail::new("CROSSSLOT Keys in request don't hash to the same slot");
    pub(crate) const NO_AUTH: Fail = Fail::new("NOAUTH Authentication required.");

    pub(crate) const fn new(text: &'static str) -> Self {
        Fail(Cow::Borrowed(text))
    }

    pub(crate) fn of(text: String) -> Self {
        Fail(Cow::Owned(text))
    }

    /// As an error reply. It may quote what the client sent: a line break in it would be read as the next reply.
    pub(crate) fn reply(&self) -> Bytes {
        let text = self.0.replace(['\r', '\n'], " ");
        Bytes::from(format!("-{text}\r\n"))
    }

    /// `ERR wrong number of arguments for 'x' command`.
    pub(crate) fn wrong_count(name: &str) -> Self {
        Fail::of(format!("ERR wrong number of arguments for '{name}' command"))
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        error.fail()
    }
}

impl From<ringway_engine::Error> for Fail {
    fn from(error: ringway_engine::Error) -> Self {
        Error::from(error).fail()
    }
}
