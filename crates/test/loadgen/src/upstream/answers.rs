//! Core: the prepared answers, by the last parts of the path.

use super::{
    date::{DATE_LEN, http_date},
    request::Request,
};

/// Heads are the answer's own, bodies are shared.
pub struct Answers {
    bodies: [Vec<u8>; 4],
    heads: Vec<Head>,
    /// The second that the heads tell.
    second: u64,
}

struct Head {
    body: usize,
    is_private: bool,
    keep_alive: bool,
    bytes: Vec<u8>,
}

/// What is sent: one after the other.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    pub head: &'a [u8],
    pub body: &'a [u8],
}

/// Places of the bodies. The last is empty: of what is not known, and of what is posted.
const NAMES: [(&[u8], usize); 3] = [(b"/1k", 1 << 10), (b"/64k", 64 << 10), (b"/10m", 10 << 20)];
const NONE: usize = NAMES.len();
const PRIVATE: &[u8] = b"/private";
/// What is before the date in every head.
const START: &str = "HTTP/1.1 200 OK\r\nDate: ";

impl Answers {
    pub fn new() -> Self {
        let [a, b, c] = NAMES.map(|(_, len)| body(len));
        let bodies = [a, b, c, Vec::new()];
        let heads = (0..=NONE)
            .flat_map(|body| [(body, false), (body, true)])
            .flat_map(|(body, is_private)| [(body, is_private, true), (body, is_private, false)])
            .map(|(body, is_private, keep_alive)| Head {
                body,
                is_private,
                keep_alive,
                bytes: head(body, bodies[body].len(), is_private, keep_alive),
            })
            .collect();
        Self { bodies, heads, second: 0 }
    }

    /// It is so many seconds after 1970.
    pub fn set_time(&mut self, second: u64) {
        if second == self.second {
            return;
        }
        self.second = second;
        let date = http_date(second);
        for head in &mut self.heads {
            head.bytes[START.len()..START.len() + DATE_LEN].copy_from_slice(date.as_bytes());
        }
    }

    /// To anything there is an answer.
    pub fn to(&self, request: &Request<'_>) -> Answer<'_> {
        let known = NAMES.iter().position(|(name, _)| request.path.ends_with(name));
        let nth = known.unwrap_or(NONE);
        let above = known.map_or(request.path, |nth| &request.path[..request.path.len() - NAMES[nth].0.len()]);
        let is_private = above.ends_with(PRIVATE);
        let wanted =
            |head: &&Head| (head.body, head.is_private, head.keep_alive) == (nth, is_private, request.keep_alive);
        let head = self.heads.iter().find(wanted).map_or([].as_slice(), |head| &head.bytes);
        Answer { head, body: if request.is_head { &[] } else { &self.bodies[nth] } }
    }
}

fn head(body: usize, len: usize, is_private: bool, keep_alive: bool) -> Vec<u8> {
    // An empty 200 is also what a collector of traces says.
    let kind = if body == NONE { "application/x-protobuf" } else { "text/html" };
    let caching = if is_private || body == NONE { "private, no-store" } else { "max-age=3600" };
    let connection = if keep_alive { "" } else { "Connection: close\r\n" };
    let date = http_date(0);
    format!(
        "{START}{date}\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\nCache-Control: {caching}\r\n{connection}\r\n"
    )
    .into_bytes()
}

/// Letters that do not compress to nothing.
fn body(len: usize) -> Vec<u8> {
    let mut lot = crate::lot::Lot::new(0xB0D1);
    (0..len).map(|_| b'a' + lot.below(26) as u8).collect()
}

#[cfg(test)]
mod tests;
