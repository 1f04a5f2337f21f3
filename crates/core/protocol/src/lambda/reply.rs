//! Core: what a function answered, as an HTTP response.
//!
//! JSON with a `statusCode` says everything about the response; any other JSON is the body of a 200. A streaming client sends
//! the head as JSON, eight zero bytes, and then the body.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE, TRANSFER_ENCODING};
use http::{Response, StatusCode};
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// Ends the head of a streamed answer.
const HEAD_END: [u8; 8] = [0; 8];

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplyError {
    #[error("the function's answer is no JSON: {0}")]
    NoJson(String),
    #[error("the function's answer is no HTTP response: {0}")]
    NoResponse(String),
    #[error("the function answered with an invalid status {0}")]
    Status(i64),
    #[error("the function answered with an invalid header {0:?}")]
    Header(String),
    #[error("the body of the function's answer is said to be base64, and is not")]
    Base64,
}

/// A buffered answer.
pub fn http_reply(answer: &[u8]) -> Result<Response<Bytes>, ReplyError> {
    // Clients write `null`, or nothing, for a handler that returns nothing.
    if answer.trim_ascii().is_empty() {
        return plain_json(&Value::Null);
    }
    let value: Value = serde_json::from_slice(answer).map_err(|error| ReplyError::NoJson(error.to_string()))?;
    if value.get("statusCode").is_none() {
        return plain_json(&value);
    }
    let reply = Reply::deserialize(value).map_err(|error| ReplyError::NoResponse(error.to_string()))?;
    let body = match &reply.body {
        None => Bytes::new(),
        Some(Value::String(text)) if reply.is_base64_encoded => {
            STANDARD.decode(text).map(Bytes::from).map_err(|_| ReplyError::Base64)?
        }
        Some(Value::String(text)) => Bytes::from(text.clone()),
        Some(other) => Bytes::from(other.to_string()),
    };
    reply.into_response(body)
}

/// An answer of the content type `application/vnd.awslambda.http-integration-response`.
pub fn streamed_reply(answer: &Bytes) -> Result<Response<Bytes>, ReplyError> {
    let end = memmem::find(answer, &HEAD_END)
        .ok_or_else(|| ReplyError::NoResponse("the end of its head is missing".to_owned()))?;
    let reply: Reply =
        serde_json::from_slice(&answer[..end]).map_err(|error| ReplyError::NoResponse(error.to_string()))?;
    reply.into_response(answer.slice(end + HEAD_END.len()..))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reply {
    status_code: Option<Value>,
    headers: Option<BTreeMap<String, Value>>,
    multi_value_headers: Option<BTreeMap<String, Vec<Value>>>,
    cookies: Option<Vec<String>>,
    body: Option<Value>,
    is_base64_encoded: bool,
}

impl Reply {
    fn into_response(self, body: Bytes) -> Result<Response<Bytes>, ReplyError> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status()?;
        let headers = response.headers_mut();
        let many = self.multi_value_headers.unwrap_or_default();
        for (name, value) in self.headers.unwrap_or_default() {
            // What is in both is meant once.
            if !many.keys().any(|other| other.eq_ignore_ascii_case(&name)) {
                append(headers, &name, &value)?;
            }
        }
        for (name, values) in &many {
            values.iter().try_for_each(|value| append(headers, name, value))?;
        }
        for cookie in self.cookies.unwrap_or_default() {
            headers.append(SET_COOKIE, HeaderValue::from_str(&cookie).map_err(|_| ReplyError::Header(cookie))?);
        }
        if !headers.contains_key(CONTENT_TYPE) && !response.body().is_empty() {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(response)
    }

    fn status(&self) -> Result<StatusCode, ReplyError> {
        // Some frameworks write it as a text.
        let number = match &self.status_code {
            None => 200,
            Some(Value::String(text)) => text.trim().parse().unwrap_or(-1),
            Some(other) => other.as_i64().unwrap_or(-1),
        };
        let status = u16::try_from(number).ok().filter(|number| (200..600).contains(number));
        status.and_then(|number| StatusCode::from_u16(number).ok()).ok_or(ReplyError::Status(number))
    }
}

fn append(headers: &mut http::HeaderMap, name: &str, value: &Value) -> Result<(), ReplyError> {
    let invalid = || ReplyError::Header(name.to_owned());
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
    // The length follows from the body, and the connection is not the function's.
    if header == CONTENT_LENGTH || header == TRANSFER_ENCODING || header == "connection" {
        return Ok(());
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => return Ok(()),
        other => other.to_string(),
    };
    headers.append(header, HeaderValue::from_str(&text).map_err(|_| invalid())?);
    Ok(())
}

fn plain_json(value: &Value) -> Result<Response<Bytes>, ReplyError> {
    let mut response = Response::new(Bytes::from(value.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests;
