//! Driver: what one client has said and is not yet done. A client that says nothing keeps no buffer.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::share::SHARED_LEN_MIN;

/// How much is read at once; grows to what a command needs.
const READ_LEN: usize = 32 * 1024;
/// Of a command that is longer, all is reserved when so much is there.
const TRUSTED_LEN: usize = 16 << 20;
/// Buffers that a thread keeps for the next client that says something.
const SPARE_MAX: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

#[derive(Default)]
pub(super) struct Input {
    bytes: BytesMut,
    /// How many there have to be before the next command can be complete.
    needed: usize,
}

/// How far the complete commands at the start of what a client has said go.
pub(super) enum End<L> {
    /// There are no more: so many bytes have to be there for the next.
    Needs(usize),
    /// There may be more.
    Full,
    /// Nothing more is understood: this is the last that it is told.
    Broken(L),
}

/// What a client has said.
pub(super) enum Lent {
    Own(BytesMut),
    /// There may be long values in it: these are parts of it for as long as somebody has them.
    Shared(Bytes),
}

impl Lent {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Lent::Own(bytes) => bytes,
            Lent::Shared(bytes) => bytes,
        }
    }

    /// The buffer that values may stay in.
    pub(super) fn source(&self) -> Option<&Bytes> {
        match self {
            Lent::Own(_) => None,
            Lent::Shared(bytes) => Some(bytes),
        }
    }
}

impl Input {
    pub(super) fn of(said: &[u8]) -> Self {
        Self { bytes: BytesMut::from(said), needed: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there may be a complete command.
    pub(super) fn is_enough(&self) -> bool {
        !self.bytes.is_empty() && self.bytes.len() >= self.needed
    }

    /// There is none before there are so many bytes.
    pub(super) fn need(&mut self, needed: usize) {
        self.needed = needed;
    }

    /// So many bytes are done with.
    pub(super) fn done(&mut self, used: usize) {
        self.bytes.advance(used);
        if self.bytes.is_empty() {
            give_back(std::mem::take(&mut self.bytes));
        }
    }

    /// All of it, while it is worked on.
    pub(super) fn lend(&mut self) -> Lent {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() >= SHARED_LEN_MIN { Lent::Shared(bytes.freeze()) } else { Lent::Own(bytes) }
    }

    /// What was lent, of which so many bytes are done with.
    pub(super) fn take_back(&mut self, lent: Lent, used: usize) {
        match lent {
            Lent::Own(bytes) => {
                self.bytes = bytes;
                self.done(used);
            }
            Lent::Shared(bytes) => self.bytes = BytesMut::from(&bytes[used..]),
        }
    }

    /// Reads more; false at the end. Cancel-safe.
    pub(super) async fn read(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        poll_fn(|context| self.poll_read(context, stream)).await
    }

    fn poll_read(&mut self, context: &mut Context<'_>, stream: &mut TcpStream) -> Poll<io::Result<bool>> {
        let was_empty = self.bytes.is_empty();
        if was_empty && self.bytes.capacity() == 0 {
            self.bytes = spare();
        }
        // No more than twice what is there: a length that was only promised reserves nothing. Who has sent so much already sends the
        // rest, too, and what is not written yet takes no memory, only addresses; what is there need not be moved again and again.
        let missing = self.needed.saturating_sub(self.bytes.len());
        let wanted = if self.bytes.len() < TRUSTED_LEN { missing.min(self.bytes.len()) } else { missing };
        let wanted = wanted.max(READ_LEN / 2);
        self.bytes.reserve(wanted);
        let read = pin!(stream.read_buf(&mut self.bytes)).poll(context);
        match read {
            Poll::Pending => {
                if was_empty {
                    give_back(std::mem::take(&mut self.bytes));
                }
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // A read that is dropped while it waits has taken nothing.
            Poll::Ready(Ok(len)) => Poll::Ready(Ok(len > 0)),
        }
    }
}

fn spare() -> BytesMut {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| BytesMut::with_capacity(READ_LEN))
}

fn give_back(mut buffer: BytesMut) {
    buffer.clear();
    // One that was cut, or grew for a long command, goes.
    let is_whole = buffer.try_reclaim(READ_LEN) && buffer.capacity() <= 2 * READ_LEN;
    SPARE.with_borrow_mut(|spare| {
        if is_whole && spare.len() < SPARE_MAX {
            spare.push(buffer);
        }
    });
}
