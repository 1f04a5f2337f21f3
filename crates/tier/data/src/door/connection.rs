//! Driver: one client. Reads what is there, runs all complete commands in it as one batch, the replies go out through [`Output`].

use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_protocol::resp::{Limits, Parsed, ProtocolError, Words, parse};
use tokio::net::TcpStream;

use crate::DataTier;
use crate::call::{Args, Written};
use crate::door::accept::auth_deadline;
use crate::door::batch;
use crate::door::client::{Client, Instead};
use crate::door::input::{End, Input};
use crate::door::lobby::{self, Lobby};
use crate::door::output::Output;
use crate::door::pace::keep_to_quota;
use crate::door::session::Session;
use crate::door::task;
use crate::door::turn::part_of;
use crate::pubsub::Inbox;

/// Commands of one batch; the rest of what was read comes next.
const BATCH_LEN_MAX: usize = 256;
/// Of the messages for a client that listens, so much is written at once.
const NEWS_BYTES: usize = 256 * 1024;

struct Connection {
    input: Input,
    /// Where the words of the next command are, as far as it has come.
    words: Words,
    output: Output,
    session: Session,
    stopping: BoxFuture<'static, ()>,
}

/// Complete commands at the start of some input.
struct Found<'a> {
    /// The words of all, one behind the other.
    words: Vec<&'a [u8]>,
    /// Of each command: how many words it has.
    lens: Vec<usize>,
    /// Bytes that are done with when all of them are.
    used: usize,
    end: End<ProtocolError>,
}

/// Returns when the client has gone, was cut, or the tier stops, or when it goes (back) to the lobby.
pub(super) async fn serve(
    tier: &Arc<DataTier>,
    lobby: &Lobby,
    session: Session,
    input: Input,
    output: Output,
) -> io::Result<()> {
    let stopping = tier.tasks.stopping().boxed();
    task::serve(tier, lobby, Connection { input, words: Words::new(), output, session, stopping }).await
}

impl task::Connection for Connection {
    async fn drain(&mut self, tier: &Arc<DataTier>) -> io::Result<bool> {
        let is_open = self.run_all(tier).await?;
        self.output.flush().await?;
        Ok(is_open)
    }

    async fn fill(&mut self, _tier: &DataTier) -> io::Result<bool> {
        let mut deadline = pin!(auth_deadline(self.session.is_authenticated()));
        loop {
            let inbox = self.session.inbox().cloned();
            let news = async {
                match &inbox {
                    Some(inbox) => inbox.arrived().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                read = self.input.read(self.output.stream()) => return read,
                () = &mut self.stopping => return Ok(false),
                error = &mut deadline => return Err(error),
                () = news => {}
            }
            if let Some(inbox) = inbox {
                Box::pin(self.deliver(&inbox)).await?;
            }
        }
    }

    fn may_enter(&mut self, tier: &DataTier) -> bool {
        let has_nothing = self.input.bytes().is_empty() && self.output.is_empty() && !self.words.is_partial();
        has_nothing && self.session.only_asks() && lobby::takes_clients_of(tier, self.session.bucket_in(&tier.view()))
    }

    fn note_calm(&mut self) {
        self.session.calm().note();
    }

    fn into_client(self) -> (TcpStream, Client) {
        (self.output.into_stream(), Client::Redis(self.session))
    }
}

impl Connection {
    /// Sends what has arrived for a client that listens.
    async fn deliver(&mut self, inbox: &Inbox) -> io::Result<()> {
        loop {
            if inbox.is_cut() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not read what it listens to"));
            }
            let news = inbox.take(NEWS_BYTES);
            if news.is_empty() {
                return Ok(());
            }
            let out = self.output.out(self.session.version());
            news.iter().for_each(|news| news.write(out));
            tokio::select! {
                sent = self.output.flush() => sent?,
                () = inbox.is_to_be_cut() => {}
            }
        }
    }

    /// Runs all complete commands; false if that was the last of this connection.
    async fn run_all(&mut self, tier: &Arc<DataTier>) -> io::Result<bool> {
        while self.input.is_enough() {
            let (lent, mut used) = (self.input.lend(), 0);
            let end = self.run_batch(tier, lent.bytes(), lent.source(), &mut used).await?;
            self.input.take_back(lent, used);
            match end {
                End::Full => self.input.need(1),
                End::Needs(needed) => self.input.need(needed),
                End::Broken(error) => {
                    error.write(self.output.out(self.session.version()));
                    return Ok(false);
                }
            }
            if self.session.is_closing() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn run_batch(
        &mut self,
        tier: &Arc<DataTier>,
        input: &[u8],
        source: Option<&Bytes>,
        used: &mut usize,
    ) -> io::Result<End<ProtocolError>> {
        if input.first() != Some(&b'*') && !self.words.is_partial() {
            return self.run_line(tier, input, used).await;
        }
        // Who it is decides what it may send, so until that is known commands are read one by one.
        let (limits, len_max) = match self.session.is_authenticated() {
            true => (Limits::AUTHENTICATED, BATCH_LEN_MAX),
            false => (Limits::UNAUTHENTICATED, 1),
        };
        let found = find(input, &limits, len_max, &mut self.words);
        *used = found.used;
        self.run_commands(tier, &found.commands(), source).await?;
        Ok(found.end)
    }

    /// A command typed as a line: its words are not in the input as they are.
    async fn run_line(
        &mut self,
        tier: &Arc<DataTier>,
        input: &[u8],
        used: &mut usize,
    ) -> io::Result<End<ProtocolError>> {
        let limits = if self.session.is_authenticated() { Limits::AUTHENTICATED } else { Limits::UNAUTHENTICATED };
        *used = match parse(input, &limits, &mut self.words) {
            Parsed::Complete { used } => used,
            Parsed::Empty { used: len } => {
                *used = len;
                return Ok(End::Full);
            }
            Parsed::Incomplete { needed } => return Ok(End::Needs(needed)),
            Parsed::Error(error) => return Ok(End::Broken(error)),
        };
        let words: Vec<Vec<u8>> = self.words.args(&[]).iter().map(<[u8]>::to_vec).collect();
        let slices: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.run_commands(tier, &[&slices], None).await?;
        Ok(End::Full)
    }

    async fn run_commands(
        &mut self,
        tier: &Arc<DataTier>,
        mut commands: &[Args<'_>],
        source: Option<&Bytes>,
    ) -> io::Result<()> {
        if let Some(bucket) = self.session.bucket()
            && let Err(over) = keep_to_quota(tier, bucket, commands.len()).await
        {
            for _ in commands {
                self.output.put_raw(over.reply()).await?;
            }
            return Ok(());
        }
        while !commands.is_empty() && self.session.takes_the_short_way() {
            let ran = self.run_local(tier, commands, source).await;
            self.output.flush_if_long().await?;
            if ran == 0 {
                break;
            }
            commands = &commands[ran..];
        }
        if commands.is_empty() {
            return Ok(());
        }
        self.session.calm().end();
        batch::run(tier, &mut self.session, commands, source, &mut self.output).await
    }

    /// Runs those at the front that this node can run just so. How many.
    async fn run_local(&mut self, tier: &Arc<DataTier>, commands: &[Args<'_>], source: Option<&Bytes>) -> usize {
        let version = self.session.version();
        let Some(local) = self.session.begin_local(tier) else { return 0 };
        let (out, mut written) = (self.output.out(version), Written::default());
        let mark = out.mark();
        let ran = local.run(commands, source, &mut written, out);
        if written.count > 0
            && let Err(error) = tier.finish_writing(local.view(), local.bucket(), written).await
        {
            let out = self.output.out(version);
            out.cut_back(mark);
            Instead::Redis(ran).write(&error.fail(), out);
        }
        ran
    }
}

impl Found<'_> {
    fn commands(&self) -> Vec<Args<'_>> {
        let mut rest = &self.words[..];
        let take = |len: &usize| {
            let (args, after) = rest.split_at(*len);
            rest = after;
            args
        };
        self.lens.iter().map(take).collect()
    }
}

/// The complete commands at the start of `input`, up to the first that is typed as a line.
fn find<'a>(input: &'a [u8], limits: &Limits, len_max: usize, words: &mut Words) -> Found<'a> {
    let mut found = Found { words: Vec::with_capacity(48), lens: Vec::with_capacity(16), used: 0, end: End::Full };
    while found.lens.len() < len_max {
        let rest = &input[found.used..];
        if !words.is_partial() && rest.first().is_some_and(|byte| *byte != b'*') {
            break;
        }
        match parse(rest, limits, words) {
            Parsed::Complete { used } => {
                let before = found.words.len();
                found.words.extend(words.args(rest).iter().map(|word| part_of(input, word)));
                found.used += used;
                found.lens.push(found.words.len() - before);
            }
            Parsed::Empty { used } => found.used += used,
            Parsed::Incomplete { needed } => {
                found.end = End::Needs(needed);
                break;
            }
            Parsed::Error(error) => {
                found.end = End::Broken(error);
                break;
            }
        }
    }
    found
}
