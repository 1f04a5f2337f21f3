//! Driver: what a handler gets: the parts of the path, the query, and the body within limits.

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::Error;

const JSON_BYTES_MAX: usize = 64 << 10;
const BODY_WITHIN: Duration = Duration::from_secs(20);

pub(crate) struct Call {
    params: Vec<Vec<u8>>,
    request: Request<Incoming>,
}

impl Call {
    pub(crate) fn new(request: Request<Incoming>, params: Vec<Vec<u8>>) -> Self {
        Self { params, request }
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    pub(crate) fn path(&self) -> &str {
        self.request.uri().path()
    }

    /// The `n`th `{}` of the route.
    pub(crate) fn param(&self, n: usize) -> Result<&str, Error> {
        std::str::from_utf8(self.raw_param(n)).map_err(|_| Error::BadRequest("the path is not UTF-8".to_owned()))
    }

    pub(crate) fn raw_param(&self, n: usize) -> &[u8] {
        self.params.get(n).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn query(&self, name: &str) -> Result<Option<String>, Error> {
        let pairs =
            self.request.uri().query().unwrap_or("").split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let Some((_, value)) = pairs.into_iter().find(|(key, _)| *key == name) else { return Ok(None) };
        let value = value.replace('+', " ");
        let decoded = percent_decode_str(&value)
            .decode_utf8()
            .map_err(|_| Error::BadRequest(format!("`{name}` is not UTF-8")))?;
        Ok(Some(decoded.into_owned()))
    }

    /// As [`Call::query`], for what need not be text.
    pub(crate) fn query_bytes(&self, name: &str) -> Option<Bytes> {
        let query = self.request.uri().query().unwrap_or("");
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
        Some(percent_decode_str(&value.replace('+', " ")).collect::<Vec<u8>>().into())
    }

    pub(crate) fn required(&self, name: &str) -> Result<String, Error> {
        let value = self.query(name)?.filter(|value| !value.is_empty());
        value.ok_or_else(|| Error::BadRequest(format!("`{name}` is missing: add `?{name}=...`")))
    }

    pub(crate) fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, Error> {
        let Some(text) = self.query(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Error::BadRequest(format!("`{name}={text}` is not a number that fits")))
    }

    /// The body as JSON; none at all is as good as `{}`.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let body = self.body(JSON_BYTES_MAX).await?;
        let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
        serde_json::from_slice(text)
            .map_err(|error| Error::BadRequest(format!("the body is not the JSON that is expected: {error}")))
    }

    /// The whole body, if it is at most that long.
    pub(crate) async fn body(self, bytes_max: usize) -> Result<Bytes, Error> {
        let collected =
            tokio::time::timeout(BODY_WITHIN, Limited::new(self.request.into_body(), bytes_max).collect()).await;
        match collected {
            Err(_) => Err(Error::TooSlow(BODY_WITHIN)),
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Error::TooLarge(bytes_max as u64)),
            Ok(Err(error)) => Err(Error::BadRequest(format!("the body ended early: {error}"))),
        }
    }

    pub(crate) fn into_body(self) -> Incoming {
        self.request.into_body()
    }
}
