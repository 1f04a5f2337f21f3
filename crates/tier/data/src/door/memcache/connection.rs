//! Driver: one client of the memcached door. Reads what is there, runs all complete requests in it as one batch.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ringway_protocol::memcache::{Limits, Parsed, Request, Tokens, Verb, parse, reply};
use ringway_protocol::resp::{Out, RespVersion};
use tokio::net::TcpStream;

use super::{Session, Step, local, spread, whole};
use crate::DataTier;
use crate::door::accept::auth_deadline;
use crate::door::client::Client;
use crate::door::input::{End, Input};
use crate::door::lobby::{self, Lobby};
use crate::door::output::Output;
use crate::door::pace::keep_to_quota;
use crate::door::session::bucket_for;
use crate::door::task;
use crate::memcache::{LIMITS, server_error};

/// Requests of one batch; the rest of what was read comes next.
const BATCH_LEN_MAX: usize = 64;
/// What somebody unknown may send: as much as a bucket's name and token need.
const UNKNOWN_LIMITS: Limits = Limits { line_len_max: 2048, value_len_max: 1024 };

struct Connection {
    input: Input,
    /// How much of the input is known to have no end of line.
    scanned: usize,
    /// How much of what comes belongs to a value that was refused.
    swallow: usize,
    output: Output,
    session: Session,
}

/// Returns when the client has gone, was cut, or the tier stops, or when it goes (back) to the lobby.
pub(in crate::door) async fn serve(
    tier: &Arc<DataTier>,
    lobby: &Lobby,
    session: Session,
    input: Input,
    output: Output,
) -> io::Result<()> {
    let mut connection = Connection { input, scanned: 0, swallow: 0, output, session };
    if let Err(fail) = connection.session.begin(tier).await {
        reply::line(connection.out(), &server_error(&fail));
        return connection.output.flush().await;
    }
    task::serve(tier, lobby, connection).await
}

impl task::Connection for Connection {
    async fn drain(&mut self, tier: &Arc<DataTier>) -> io::Result<bool> {
        let is_open = self.run_all(tier).await?;
        self.output.flush().await?;
        tier.stats.memcache_bytes_written.fetch_add(self.output.take_sent(), Ordering::Relaxed);
        Ok(is_open)
    }

    async fn fill(&mut self, tier: &DataTier) -> io::Result<bool> {
        let (is_known, len) = (self.session.bucket().is_some(), self.input.bytes().len());
        let goes_on = tokio::select! {
            read = self.input.read(self.output.stream()) => read?,
            () = tier.tasks.stopping() => false,
            error = auth_deadline(is_known) => return Err(error),
        };
        let read = self.input.bytes().len().saturating_sub(len);
        tier.stats.memcache_bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(goes_on)
    }

    fn may_enter(&mut self, tier: &DataTier) -> bool {
        let has_nothing = self.input.bytes().is_empty() && self.output.is_empty() && self.swallow == 0;
        has_nothing
            && self.session.calm().is_enough()
            && lobby::takes_clients_of(tier, self.session.bucket_in(&tier.view()))
    }

    fn note_calm(&mut self) {
        self.session.calm().note();
    }

    fn into_client(self) -> (TcpStream, Client) {
        (self.output.into_stream(), Client::Memcached(self.session))
    }
}

impl Connection {
    /// Runs all complete requests; false if that was the last of this connection.
    async fn run_all(&mut self, tier: &Arc<DataTier>) -> io::Result<bool> {
        loop {
            let dropped = self.swallow.min(self.input.bytes().len());
            if dropped > 0 {
                self.input.done(dropped);
                self.swallow -= dropped;
            }
            if !self.input.is_enough() {
                return Ok(true);
            }
            let (lent, mut used) = (self.input.lend(), 0);
            let end = self.run_batch(tier, lent.bytes(), lent.source(), &mut used).await?;
            self.input.take_back(lent, used);
            match end {
                Some(End::Full) => self.input.need(1),
                Some(End::Needs(needed)) => self.input.need(needed),
                Some(End::Broken(reply)) => {
                    self.output.put_raw(reply).await?;
                    return Ok(false);
                }
                None => return Ok(false),
            }
        }
    }

    /// `None`: the client has said that it goes.
    async fn run_batch(
        &mut self,
        tier: &Arc<DataTier>,
        input: &[u8],
        source: Option<&Bytes>,
        used: &mut usize,
    ) -> io::Result<Option<End<Bytes>>> {
        let mut steps = Vec::with_capacity(16);
        let end = self.read_batch(input, used, &mut steps);
        let goes_on = match self.session.bucket().cloned() {
            Some(bucket) => match keep_to_quota(tier, &bucket, steps.len()).await {
                Ok(()) => self.run_steps(tier, &bucket, &steps, source).await?,
                Err(fail) => {
                    let text = server_error(&fail);
                    let out = self.out();
                    steps.iter().for_each(|step| step.fail(&text, out));
                    true
                }
            },
            None => {
                self.identify(tier, &steps).await;
                true
            }
        };
        Ok(goes_on.then_some(end))
    }

    fn read_batch<'a>(&mut self, input: &'a [u8], used: &mut usize, steps: &mut Vec<Step<'a>>) -> End<Bytes> {
        // Who it is decides what it may send, so until that is known requests are read one by one.
        let (limits, len_max) = match self.session.bucket() {
            Some(_) => (LIMITS, BATCH_LEN_MAX),
            None => (UNKNOWN_LIMITS, 1),
        };
        while steps.len() < len_max {
            let rest = &input[*used..];
            if rest.is_empty() {
                return End::Needs(1);
            }
            match parse(rest, &limits, self.scanned) {
                Parsed::Complete { used: len, request } => {
                    *used += len;
                    steps.push(Step::of(request, &rest[..len]));
                }
                Parsed::Refused { used: len, refusal } => {
                    *used += len;
                    self.swallow = refusal.swallow;
                    Step::refuse(refusal, steps);
                }
                // The binary protocol: a whole header is told so in its own words, less than one is not waited for.
                Parsed::Incomplete { .. } if rest.first() == Some(&0x80) => return End::Broken(Bytes::new()),
                Parsed::Incomplete { needed, scanned } => {
                    self.scanned = scanned;
                    return End::Needs(needed);
                }
                Parsed::Close { reply } => return End::Broken(reply),
            }
            self.scanned = 0;
            let dropped = self.swallow.min(input.len() - *used);
            *used += dropped;
            self.swallow -= dropped;
        }
        End::Full
    }

    /// False if the client has said that it goes.
    async fn run_steps(
        &mut self,
        tier: &Arc<DataTier>,
        bucket: &Arc<str>,
        mut steps: &[Step<'_>],
        source: Option<&Bytes>,
    ) -> io::Result<bool> {
        while let Some(first) = steps.first() {
            if let Step::Whole(Request::Quit) = first {
                return Ok(false);
            }
            if let Step::Whole(request) = first {
                self.session.calm().end();
                whole::run(tier, bucket, request, self.out()).await;
                steps = &steps[1..];
                continue;
            }
            let ran = local::run(tier, bucket, steps, source, &mut self.output).await;
            self.output.flush_if_long().await?;
            steps = &steps[ran..];
            if ran == 0 {
                self.session.calm().end();
                let len = steps.iter().take_while(|step| !matches!(step, Step::Whole(_))).count();
                spread::run(tier, bucket, &steps[..len], source, &mut self.output).await?;
                steps = &steps[len..];
            }
        }
        Ok(true)
    }

    /// The client is unknown: what it stores says who it is.
    async fn identify(&mut self, tier: &Arc<DataTier>, steps: &[Step<'_>]) {
        let text = match steps.first() {
            None => return,
            Some(Step::Keys { request: Request::Store(asked), .. }) if asked.verb == Verb::Set => {
                let mut words = Tokens::new(asked.data);
                match (words.next(), words.next()) {
                    (Some(user), Some(token)) => {
                        let bucket = bucket_for(&tier.view().catalog, user, token).map(Arc::from);
                        match bucket {
                            None => "CLIENT_ERROR authentication failure",
                            Some(bucket) => match self.session.enter(tier, &bucket).await {
                                Ok(()) => "STORED",
                                Err(fail) => return reply::line(self.out(), &server_error(&fail)),
                            },
                        }
                    }
                    _ => "CLIENT_ERROR bad authentication token format",
                }
            }
            Some(_) => "CLIENT_ERROR unauthenticated",
        };
        reply::line(self.out(), text);
    }

    fn out(&mut self) -> &mut Out {
        self.output.out(RespVersion::Two)
    }
}
