//! Core: whether a response may be stored (RFC 9111, 3), and which of its headers (3.1).

use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use crate::directives::{Request, Response};
use crate::policy::freshness::{self, Exchange, Times};
use crate::policy::vary;
use crate::tags::{self, Tags};

/// What is about the connection or the hop, and never stored (RFC 9111, 3.1; RFC 9110, 7.6.1).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request and how it was answered.
pub(crate) struct Answer<'a> {
    pub(crate) method: &'a Method,
    pub(crate) request: &'a HeaderMap,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) exchange: Exchange,
    /// The route's.
    pub(crate) default_lifetime: Option<Duration>,
}

/// How it is stored.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) times: Times,
    /// As they are stored, without a length.
    pub(crate) headers: HeaderMap,
    /// The request headers that its variant is told by.
    pub(crate) vary: Vec<HeaderName>,
    pub(crate) tags: Tags,
}

impl Answer<'_> {
    /// `Err` says why not.
    pub(crate) fn plan(&self, now_ms: u64) -> Result<Plan, &'static str> {
        let said = Response::of(self.headers);
        self.check(&said)?;
        let vary = vary::names(self.headers)?;
        let tags = tags::of(self.headers)?;
        let age = freshness::initial_age(self.headers, self.exchange);
        let has_validator = self.headers.contains_key(header::ETAG) || self.headers.contains_key(header::LAST_MODIFIED);
        let lifetime = match freshness::lifetime(&said, self.headers, self.exchange) {
            Some(lifetime) => lifetime,
            None if said.no_cache => Duration::ZERO,
            None => self.default_lifetime(&said).ok_or("no-lifetime")?,
        };
        let times = Times::new(now_ms, age, lifetime, &said, has_validator);
        if times.useless_from_ms() <= now_ms {
            return Err("stale");
        }
        Ok(Plan { times, headers: kept(self.headers, &said.withheld, self.exchange), vary, tags })
    }

    fn check(&self, said: &Response) -> Result<(), &'static str> {
        if *self.method != Method::GET {
            return Err("method");
        }
        // 206 and 304 are parts of what we would have to put together (3.3, 3.4); 1xx are no answers.
        if self.status.as_u16() < 200 || [StatusCode::PARTIAL_CONTENT, StatusCode::NOT_MODIFIED].contains(&self.status)
        {
            return Err("status");
        }
        let understood = is_understood(self.status);
        if said.must_understand && !understood {
            return Err("must-understand");
        }
        // `no-store` beside it is for caches that do not know `must-understand` (5.2.2.3).
        if said.no_store && !said.must_understand {
            return Err("no-store");
        }
        if said.private {
            return Err("private");
        }
        if Request::of(self.request).no_store {
            return Err("request-no-store");
        }
        let for_all = said.s_maxage.is_some() || said.is_targeted;
        if self.request.contains_key(header::AUTHORIZATION) && !(for_all || said.public || said.must_revalidate) {
            return Err("authorization");
        }
        let has_cookie = self.headers.contains_key(header::SET_COOKIE);
        if has_cookie && !for_all && !said.withheld.contains(&header::SET_COOKIE) {
            return Err("set-cookie");
        }
        Ok(())
    }

    fn default_lifetime(&self, said: &Response) -> Option<Duration> {
        let is_personal = [header::COOKIE, header::AUTHORIZATION].iter().any(|name| self.request.contains_key(name));
        if said.is_targeted || is_personal {
            return None;
        }
        freshness::default_lifetime(self.status, self.default_lifetime?)
    }
}

/// Whether this cache does with the status what its definition says of caching: all of RFC 9110 but the partial ones.
fn is_understood(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200..=205 | 300..=303 | 305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}

/// The headers that are stored. `Age` is counted from now on; a `Date` that is missing is that of the arrival (RFC 9110, 6.6.1).
pub(crate) fn kept(headers: &HeaderMap, withheld: &[HeaderName], exchange: Exchange) -> HeaderMap {
    let mut kept = end_to_end(headers);
    kept.remove(header::AGE);
    withheld.iter().for_each(|name| drop(kept.remove(name)));
    if !kept.contains_key(header::DATE) {
        let time = std::time::UNIX_EPOCH + Duration::from_millis(exchange.answered_ms);
        let date = HeaderValue::from_str(&httpdate::fmt_http_date(time)).expect("a date is a header's value");
        kept.insert(header::DATE, date);
    }
    kept
}

/// Without what is about the connection, and what `Connection` names.
pub(crate) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<String> = headers.get_all(header::CONNECTION).iter().flat_map(words).collect();
    let is_kept = |name: &HeaderName| {
        !HOP_BY_HOP.contains(&name.as_str()) && !named.iter().any(|word| word.eq_ignore_ascii_case(name.as_str()))
    };
    let mut kept = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in headers.iter().filter(|(name, _)| is_kept(name)) {
        kept.append(name, value.clone());
    }
    kept
}

fn words(line: &HeaderValue) -> Vec<String> {
    let text = line.to_str().unwrap_or_default();
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests;
