//! Driver: the loop. Readiness, replies, the next batch where one is due.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use mio::{Events, Interest, Poll, Token};
use ringway_ring::slot_of;

use crate::{
    cluster::Slots,
    connection::{Connection, connect},
    keys::Keys,
    lot::Lot,
    options::Options,
    reply::Replies,
    report::{Seen, ServerSeen, Tally},
    request::{self, Asked, Requests},
    server,
};

const BUFFER_LEN: usize = 256 << 10;
const EVENTS_MAX: usize = 1024;
/// How long the loop may sleep without looking at the clock.
const NAP: Duration = Duration::from_millis(50);
/// The kernel's timeouts are that coarse: what is due sooner is waited for awake.
const TIMER_STEP: Duration = Duration::from_millis(1);
/// A fill in which nothing moves for this long has failed.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// Does what the options say.
pub fn run(options: &Options) -> Result<Seen> {
    options.check()?;
    let load = Load::open(options)?;
    if options.fill { load.fill() } else { load.measure() }
}

struct Load<'a> {
    options: &'a Options,
    poll: Poll,
    /// None: it was lost.
    connections: Vec<Option<Connection>>,
    /// Connections that may send, longest idle first.
    idle: VecDeque<usize>,
    /// What is to be asked of each node.
    nodes: Vec<Keys>,
    mix: Mix,
    replies: Replies,
    tally: Tally,
    buffer: Vec<u8>,
    /// When the next batch is due, if the clock says so.
    due: Option<(Instant, Duration)>,
}

/// Which requests a batch is made of.
struct Mix {
    requests: Requests,
    lot: Lot,
    batch_len: usize,
    several: u32,
    get_percent: u32,
}

impl<'a> Load<'a> {
    fn open(options: &'a Options) -> Result<Self> {
        let poll = Poll::new()?;
        let mut lot = Lot::new(options.seed);
        let (addresses, nodes) = nodes(options, &mut lot)?;
        let mut connections = Vec::with_capacity(options.conns);
        for nth in 0..options.conns {
            let node = nth % nodes.len();
            // Without --cluster there is one set of keys, and any address will do.
            let address = addresses[nth % addresses.len()];
            let mut connection = Connection::new(connect(address, options.proto, options.credentials())?, node)?;
            poll.registry().register(&mut connection.stream, Token(nth), Interest::READABLE | Interest::WRITABLE)?;
            connections.push(Some(connection));
        }
        let mix = Mix {
            requests: Requests::new(options.proto, options.val),
            lot,
            batch_len: options.pipe,
            several: options.multi as u32,
            get_percent: if options.fill { 0 } else { u32::from(options.get) },
        };
        Ok(Self {
            options,
            poll,
            idle: (0..connections.len()).collect(),
            connections,
            nodes,
            mix,
            replies: Replies::new(options.proto, options.val),
            tally: Tally::new(),
            buffer: vec![0; BUFFER_LEN.max(2 * options.val)],
            due: options.interval().map(|interval| (Instant::now(), interval)),
        })
    }

    /// Every key once.
    fn fill(mut self) -> Result<Seen> {
        let (before, own, begin) = (server::used(&self.options.pid)?, server::own_cpu_seconds()?, Instant::now());
        let (mut moved, mut stored) = (begin, 0);
        self.send()?;
        while self.connections.iter().flatten().any(|connection| !connection.is_idle()) {
            self.turn(NAP)?;
            if self.tally.stored > stored {
                (stored, moved) = (self.tally.stored, Instant::now());
            } else if moved.elapsed() > STUCK_AFTER {
                bail!(
                    "nothing was answered for {} s, after {stored} of {} keys",
                    STUCK_AFTER.as_secs(),
                    self.options.keys
                );
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        self.seen(seconds, before, own)
    }

    fn measure(mut self) -> Result<Seen> {
        self.send()?;
        self.until(Instant::now() + Duration::from_secs_f64(self.options.warmup))?;
        let (before, own) = (server::used(&self.options.pid)?, server::own_cpu_seconds()?);
        let (errors, error) = (self.tally.errors, self.tally.error.take());
        self.tally = Tally::new();
        // What went wrong in the warm-up makes the figures as doubtful as what goes wrong later.
        self.tally.failed(errors, || error.unwrap_or_default());
        let begin = Instant::now();
        self.until(begin + Duration::from_secs_f64(self.options.secs))?;
        self.seen(begin.elapsed().as_secs_f64(), before, own)
    }

    fn seen(self, seconds: f64, before: server::Used, own_before: f64) -> Result<Seen> {
        let own = server::own_cpu_seconds()? - own_before;
        let server = match self.options.pid.is_empty() {
            true => None,
            false => Some(ServerSeen { before, after: server::used(&self.options.pid)? }),
        };
        Ok(Seen::new(self.options, seconds, self.tally, server, own))
    }

    fn until(&mut self, deadline: Instant) -> Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left.min(NAP))?;
        }
    }

    /// Waits for readiness, reads what there is, sends what is due.
    fn turn(&mut self, at_most: Duration) -> Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        match self.poll.poll(&mut events, Some(self.patience(at_most))) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            other => other?,
        }
        for event in &events {
            self.ready(event.token().0, event.is_readable(), event.is_writable())?;
            self.send()?;
        }
        self.send()
    }

    /// How long to wait for readiness.
    fn patience(&self, at_most: Duration) -> Duration {
        match self.due {
            Some((due, _)) if !self.idle.is_empty() => {
                let left = due.saturating_duration_since(Instant::now());
                left.saturating_sub(TIMER_STEP).min(at_most)
            }
            _ => at_most,
        }
    }

    fn ready(&mut self, nth: usize, is_readable: bool, is_writable: bool) -> Result<()> {
        let Some(connection) = &mut self.connections[nth] else { return Ok(()) };
        let was_idle = connection.is_idle();
        let mut done = if is_writable { connection.flush().map_err(Into::into) } else { Ok(()) };
        if done.is_ok() && is_readable {
            done = connection.read(&mut self.buffer, &self.replies, &mut self.tally);
        }
        match done {
            Ok(()) if !was_idle && connection.is_idle() => self.idle.push_back(nth),
            Ok(()) => {}
            Err(error) => self.lose(nth, &error)?,
        }
        Ok(())
    }

    fn lose(&mut self, nth: usize, error: &anyhow::Error) -> Result<()> {
        let lost = self.connections[nth].take().map_or(0, |connection| connection.waiting().max(1));
        self.idle.retain(|idle| *idle != nth);
        self.tally.failed(lost, || format!("{error:#}"));
        if self.connections.iter().all(Option::is_none) {
            bail!("all connections are lost: {}", self.tally.error.as_deref().unwrap_or_default());
        }
        Ok(())
    }

    /// Sends as many batches as are due and have a connection.
    fn send(&mut self) -> Result<()> {
        while let Some(&nth) = self.idle.front() {
            let now = Instant::now();
            let since = match &mut self.due {
                None => now,
                Some((due, _)) if *due > now => return Ok(()),
                Some((due, interval)) => std::mem::replace(due, *due + *interval),
            };
            self.idle.pop_front();
            let Some(connection) = &mut self.connections[nth] else { continue };
            let keys = &mut self.nodes[connection.node];
            // A connection that found no more keys to write is idle from then on.
            if let Err(error) = connection.ask(since, |out, asked| self.mix.batch(keys, out, asked)) {
                self.lose(nth, &error.into())?;
            }
        }
        Ok(())
    }
}

impl Mix {
    fn batch(&mut self, keys: &mut Keys, out: &mut Vec<u8>, asked: &mut Vec<Asked>) {
        for _ in 0..self.batch_len {
            let is_get = self.get_percent == 100 || self.get_percent > 0 && self.lot.below(100) < self.get_percent;
            if is_get && self.several > 1 {
                let several = std::iter::from_fn(|| keys.next(&mut self.lot)).take(self.several as usize);
                request::write_several(several, out);
                asked.push(Asked::Several(self.several));
                continue;
            }
            let Some(key) = keys.next(&mut self.lot) else { return };
            let kind = if is_get { Asked::Get } else { Asked::Set };
            self.requests.write(kind, key, out);
            asked.push(kind);
        }
    }
}

/// Where to connect to, and the keys of each set of connections: one for all, or one for each master of a cluster.
fn nodes(options: &Options, lot: &mut Lot) -> Result<(Vec<SocketAddr>, Vec<Keys>)> {
    let mut keys = |is_own: Option<&dyn Fn(u32) -> bool>| match options.fill {
        true => Keys::each(options.keys, is_own),
        false => Keys::drawn(options.dist, options.keys, options.theta, lot, is_own),
    };
    if !options.cluster {
        return Ok((options.addr.clone(), vec![keys(None)]));
    }
    let address = options.addr.first().context("an address is required")?;
    let slots = Slots::ask(connect(*address, options.proto, options.credentials())?)?;
    let owned = |place| move |slots: &Slots, key: u32| slots.owner(slot_of(&request::key_of(key))) == Some(place);
    let of_each = (0..slots.masters.len()).map(|place| keys(Some(&|key| owned(place)(&slots, key)))).collect();
    Ok((slots.masters.clone(), of_each))
}
