//! Driver: the app behind the proxies and caches of the benchmark, as cheap as it gets, so that its core is left to the load.
//!
//! One thread, one loop; answers are prepared, a request is looked at no longer than it takes to find its end and its name.
//! It honours `Connection`, HTTP/1.0, HEAD and pipelining, and reads over bodies that have a length, so it does as a collector of
//! traces, too. It knows no deadlines and believes its clients: it is for benchmarks on one machine.

mod answers;
mod connection;
mod date;
mod request;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    time::SystemTime,
};

use anyhow::{Context as _, Result};
use mio::{Events, Interest, Poll, Token, net::TcpListener};

use self::{answers::Answers, connection::Connection};

const CONNECTIONS_MAX: usize = 16_384;
const EVENTS_MAX: usize = 1024;
const BUFFER_LEN: usize = 64 << 10;
const LISTENER: Token = Token(usize::MAX);

/// Serves until the process is ended.
pub fn run(listen: SocketAddr) -> Result<()> {
    let mut listener = TcpListener::bind(listen).with_context(|| format!("listening on {listen}"))?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut upstream = Upstream {
        answers: Answers::new(),
        connections: Vec::new(),
        free: Vec::new(),
        buffer: vec![0; BUFFER_LEN],
        poll,
    };
    let mut events = Events::with_capacity(EVENTS_MAX);
    loop {
        match upstream.poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        upstream.answers.set_time(SystemTime::UNIX_EPOCH.elapsed()?.as_secs());
        for event in &events {
            match event.token() {
                LISTENER => upstream.accept(&listener)?,
                Token(nth) => upstream.ready(nth),
            }
        }
    }
}

struct Upstream {
    answers: Answers,
    /// None: the place is free.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    poll: Poll,
}

impl Upstream {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => return Err(error).context("accepting a connection"),
            };
            let Some(nth) = self.place() else { continue };
            stream.set_nodelay(true)?;
            self.poll.registry().register(&mut stream, Token(nth), Interest::READABLE | Interest::WRITABLE)?;
            self.connections[nth] = Some(Connection::new(stream));
        }
    }

    /// None: there are enough, this one is closed.
    fn place(&mut self) -> Option<usize> {
        if let Some(nth) = self.free.pop() {
            return Some(nth);
        }
        if self.connections.len() == CONNECTIONS_MAX {
            return None;
        }
        self.connections.push(None);
        Some(self.connections.len() - 1)
    }

    fn ready(&mut self, nth: usize) {
        let Some(connection) = &mut self.connections[nth] else { return };
        // A connection that fails is the client's business: it is closed, and others are served on.
        if !connection.serve(&mut self.buffer, &self.answers).unwrap_or(false) {
            self.connections[nth] = None;
            self.free.push(nth);
        }
    }
}

/// Errors that accept(2) reports for a client that has gone already.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
