//! Core: answers, and the one place where an error becomes one.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use ringway_ports::{Body, full};
use serde::Serialize;

use crate::Error;
use crate::api::Failure;
use crate::router;

pub(crate) type Reply = Result<Response<Body>, Error>;

pub(crate) fn json(value: &impl Serialize) -> Reply {
    with_status(StatusCode::OK, value)
}

pub(crate) fn created(value: &impl Serialize) -> Reply {
    with_status(StatusCode::CREATED, value)
}

pub(crate) fn bytes(content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    with_body(StatusCode::OK, content_type, full(body))
}

pub(crate) fn with_body(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An error as its answer.
pub(crate) fn failure(error: Error) -> Response<Body> {
    let status = status(&error);
    let allowed =
        if let Error::NotAllowed { allowed, .. } = &error { HeaderValue::from_str(allowed).ok() } else { None };
    let failure = Failure { error: error.to_string(), help: help(&error), faults: faults(error) };
    let mut response =
        with_status(status, &failure).unwrap_or_else(|_| with_body(status, "application/json", full("{}")));
    if let Some(allowed) = allowed {
        response.headers_mut().insert(ALLOW, allowed);
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn with_status(status: StatusCode, value: &impl Serialize) -> Reply {
    let text = serde_json::to_vec(value)
        .map_err(|error| Error::Internal(format!("an answer could not be written: {error}")))?;
    Ok(with_body(status, "application/json", full(text)))
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::Unauthorised => StatusCode::UNAUTHORIZED,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::NotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Error::BadRequest(_) => StatusCode::BAD_REQUEST,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
        Error::Faults(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Refused(_) => StatusCode::CONFLICT,
        Error::Unavailable(_) | Error::TooFewCopies(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn help(error: &Error) -> Option<String> {
    match error {
        Error::Unauthorised => {
            Some("send `Authorization: Bearer TOKEN` with the token from the node's data directory".to_owned())
        }
        Error::NotFound(text) if text.starts_with("there is nothing at ") => {
            Some(format!("there is {}", router::listing()))
        }
        Error::NotAllowed { allowed, .. } => Some(format!("possible: {allowed}")),
        Error::TooSlow(_) => Some("try again, or look at `ringway status`".to_owned()),
        Error::TooFewCopies(_) => {
            Some("start the node that is down, or take it out for good with `ringway leave --dead NAME`".to_owned())
        }
        Error::Internal(_) => Some("the node's log says more".to_owned()),
        _ => None,
    }
}

fn faults(error: Error) -> Vec<crate::api::FaultView> {
    match error {
        Error::Faults(faults) => faults.0.into_iter().map(Into::into).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use ringway_ports::BlobError;

    use super::*;

    #[test]
    fn who_cannot_deploy_for_want_of_a_node_is_told_the_way_out() {
        let error = BlobError::TooFewCopies {
            id: ringway_catalog::BlobId([7; 32]),
            have: 1,
            need: 2,
            why: "no other node is reachable".to_owned(),
        };
        let error = Error::from(error);
        assert_eq!(status(&error), StatusCode::SERVICE_UNAVAILABLE);
        assert!(help(&error).is_some_and(|help| help.contains("`ringway leave --dead NAME`")));
    }
}
