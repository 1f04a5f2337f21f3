//! Core: what is to be done for a request.

use ringway_protocol::memcache::{Refusal, Request, Tokens, reply};
use ringway_protocol::resp::Out;

use super::whole;
use crate::memcache;

/// One thing to do.
pub(in crate::door) enum Step<'a> {
    /// It is about keys; and how it came.
    Keys {
        request: Request<'a>,
        encoded: &'a [u8],
    },
    /// It is about more than keys.
    Whole(Request<'a>),
    Say(&'static str),
}

impl<'a> Step<'a> {
    pub(in crate::door) fn of(request: Request<'a>, encoded: &'a [u8]) -> Self {
        match request {
            Request::NoOp => Step::Say("MN"),
            Request::Version => Step::Say(whole::VERSION),
            Request::Shutdown => Step::Say("ERROR: shutdown not enabled"),
            Request::Verbosity { quiet: false } => Step::Say("OK"),
            Request::Verbosity { quiet: true } => Step::Say(""),
            Request::FlushAll { .. } | Request::Stats(_) | Request::Quit => Step::Whole(request),
            request => Step::Keys { request, encoded },
        }
    }

    pub(super) fn refuse(refusal: Refusal<'a>, steps: &mut Vec<Self>) {
        if let Some(key) = refusal.forget {
            steps.push(Step::Keys { request: Request::Delete { key, quiet: true }, encoded: &[] });
        }
        steps.push(Step::Say(if refusal.quiet { "" } else { refusal.text }));
    }

    /// The keys it is about.
    pub(in crate::door) fn keys<'r>(&'r self) -> impl Iterator<Item = &'r [u8]>
    where
        'a: 'r,
    {
        let (many, one) = match self {
            Step::Keys { request, .. } => keys_of(request),
            Step::Whole(_) | Step::Say(_) => (None, None),
        };
        many.into_iter().flatten().chain(one)
    }

    /// It could not be done.
    pub(super) fn fail(&self, text: &str, out: &mut Out) {
        if let Some(line) = self.instead() {
            reply::line(out, line.unwrap_or(text));
        }
    }

    /// What is said if it could not be done, if anything is; `None`: why.
    pub(in crate::door) fn instead(&self) -> Option<Option<&'static str>> {
        match self {
            Step::Keys { request, .. } => (!memcache::is_silent(request)).then_some(None),
            Step::Say(text) => (!text.is_empty()).then_some(Some(text)),
            Step::Whole(_) => None,
        }
    }

    /// An empty text is not said.
    pub(super) fn say(text: &str, out: &mut Out) {
        if !text.is_empty() {
            reply::line(out, text);
        }
    }
}

/// Those of a `get`, or the one of another request.
fn keys_of<'a, 'r>(request: &'r Request<'a>) -> (Option<Tokens<'a>>, Option<&'r [u8]>)
where
    'a: 'r,
{
    match request {
        Request::Get(asked) => (Some(asked.keys), None),
        Request::Store(asked) => (None, Some(asked.key)),
        Request::Arithmetic(asked) => (None, Some(asked.key)),
        Request::Delete { key, .. } | Request::Touch { key, .. } => (None, Some(key)),
        Request::Meta(asked) => (None, Some(&asked.key)),
        _ => (None, None),
    }
}
