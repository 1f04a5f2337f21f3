//! Core: the four calls of the Lambda runtime API.

use http::Method;

const VERSION: &str = "/2018-06-01/runtime/";

/// What a runtime client asks of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeCall<'a> {
    /// Give me the next event; waits for one.
    Next,
    /// The answer to the event with this id.
    Response(&'a str),
    /// The event with this id could not be handled.
    Error(&'a str),
    /// The function could not be started.
    InitError,
}

impl<'a> RuntimeCall<'a> {
    /// `None`: there is no such call.
    pub fn parse(method: &Method, path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix(VERSION)?.split('/').collect();
        match (method, parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => Some(Self::Next),
            (&Method::POST, ["invocation", id, "response"]) => Some(Self::Response(id)),
            (&Method::POST, ["invocation", id, "error"]) => Some(Self::Error(id)),
            (&Method::POST, ["init", "error"]) => Some(Self::InitError),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_are_told_apart_and_others_refused() {
        let get = |path| RuntimeCall::parse(&Method::GET, path);
        let post = |path| RuntimeCall::parse(&Method::POST, path);
        assert_eq!(get("/2018-06-01/runtime/invocation/next"), Some(RuntimeCall::Next));
        assert_eq!(post("/2018-06-01/runtime/invocation/a-1/response"), Some(RuntimeCall::Response("a-1")));
        assert_eq!(post("/2018-06-01/runtime/invocation/a-1/error"), Some(RuntimeCall::Error("a-1")));
        assert_eq!(post("/2018-06-01/runtime/init/error"), Some(RuntimeCall::InitError));
        assert_eq!(post("/2018-06-01/runtime/invocation/next"), None);
        assert_eq!(get("/2015-03-31/runtime/invocation/next"), None);
        assert_eq!(post("/2018-06-01/runtime/invocation/a/b/response"), None);
    }
}
