//! Driver: one connection, one batch at a time.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use mio::net::TcpStream;

use crate::{
    options::Proto,
    reply::{Answer, Replies},
    report::Tally,
    request::Asked,
};

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

pub struct Connection {
    pub stream: TcpStream,
    /// Which of the nodes it leads to.
    pub node: usize,
    out: Vec<u8>,
    sent: usize,
    /// The beginning of a reply.
    unread: Vec<u8>,
    asked: Vec<Asked>,
    answered: usize,
    since: Instant,
}

/// Connects and says who it is; still blocking.
pub fn connect(address: SocketAddr, proto: Proto, credentials: Option<(&str, &str)>) -> Result<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect_timeout(&address, CONNECT_DEADLINE)
        .with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(CONNECT_DEADLINE))?;
    let Some((name, password)) = credentials else { return Ok(stream) };
    let (request, awaited) = match proto {
        Proto::Resp => {
            let words = [name, password].map(|word| format!("${}\r\n{word}\r\n", word.len())).concat();
            (format!("*3\r\n$4\r\nAUTH\r\n{words}"), "+OK\r\n")
        }
        // As memcached's -Y: a set with any key.
        Proto::Mc => {
            (format!("set auth 0 0 {}\r\n{name} {password}\r\n", name.len() + 1 + password.len()), "STORED\r\n")
        }
    };
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::with_capacity(1, &stream).read_line(&mut line).context("waiting for the answer to AUTH")?;
    ensure!(line == awaited, "{address} answered AUTH with {:?}", line.trim_end());
    Ok(stream)
}

impl Connection {
    pub fn new(stream: std::net::TcpStream, node: usize) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        let (out, unread, asked) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { stream, node, out, sent: 0, unread, asked, answered: 0, since: Instant::now() })
    }

    pub fn is_idle(&self) -> bool {
        self.answered == self.asked.len()
    }

    /// Requests that wait for their answer.
    pub fn waiting(&self) -> u64 {
        (self.asked.len() - self.answered) as u64
    }

    /// Sends what `fill` writes, which was due at `since`; false: it wrote nothing.
    pub fn ask(&mut self, since: Instant, fill: impl FnOnce(&mut Vec<u8>, &mut Vec<Asked>)) -> io::Result<bool> {
        self.out.clear();
        self.asked.clear();
        (self.sent, self.answered, self.since) = (0, 0, since);
        fill(&mut self.out, &mut self.asked);
        self.flush()?;
        Ok(!self.asked.is_empty())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Counts what has arrived. `buffer` holds more than one reply of the longest kind.
    pub fn read(&mut self, buffer: &mut [u8], replies: &Replies, tally: &mut Tally) -> Result<()> {
        loop {
            let kept = self.unread.len();
            buffer[..kept].copy_from_slice(&self.unread);
            let read = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let len = kept + read;
            let taken = self.take(&buffer[..len], replies, tally)?;
            self.unread.clear();
            self.unread.extend_from_slice(&buffer[taken..len]);
            // A short read has emptied the socket: the next readiness tells of more.
            if len < buffer.len() {
                return Ok(());
            }
        }
    }

    /// How many of the bytes were whole replies.
    fn take(&mut self, bytes: &[u8], replies: &Replies, tally: &mut Tally) -> Result<usize> {
        let (mut at, before) = (0, tally.ops());
        while at < bytes.len() {
            let Some(asked) = self.asked.get_mut(self.answered) else {
                bail!("an answer that nobody asked for: {}", beginning(&bytes[at..]));
            };
            let first =
                replies.first(*asked, &bytes[at..]).map_err(|reply| anyhow!("unexpected reply: {}", reply.0))?;
            let Some((answer, len)) = first else { break };
            self.answered += usize::from(count(answer, asked, &bytes[at..at + len], tally));
            at += len;
        }
        tally.latency_ns.record(self.since.elapsed().as_nanos() as u64, tally.ops() - before);
        Ok(at)
    }
}

/// Whether that was all of the request's answer.
fn count(answer: Answer, asked: &mut Asked, reply: &[u8], tally: &mut Tally) -> bool {
    match (answer, asked) {
        (Answer::Hit, Asked::Several(missing)) => {
            tally.hits += 1;
            *missing = missing.saturating_sub(1);
            return false;
        }
        (Answer::Hit, _) => tally.hits += 1,
        (Answer::Miss, Asked::Several(missing)) => tally.misses += u64::from(*missing),
        (Answer::Miss, _) => tally.misses += 1,
        (Answer::Stored, _) => tally.stored += 1,
        (Answer::Refused, _) => tally.failed(1, || beginning(reply.trim_ascii_end())),
    }
    true
}

fn beginning(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(80)].escape_ascii().to_string()
}
