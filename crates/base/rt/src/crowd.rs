//! Driver: many sockets that one task waits for, so that what all of them have said is heard at once.
//!
//! It is an event queue of its own ([`mio`]) that the runtime waits for as for one socket. Contains one `unsafe` block: the runtime
//! wants to be promised that the queue stays open for as long as it waits.

use std::io;
use std::time::Duration;

use mio::{Events, Poll, Registry};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Of one task. Sockets are put in through [`Queue::registry`]; each is told of once when something arrives, not again while it is
/// not read.
#[derive(Debug)]
pub struct Crowd {
    poll: AsyncFd<Poll>,
    events: Events,
}

/// A crowd before its task runs.
#[derive(Debug)]
pub struct Queue(Poll);

impl Queue {
    pub fn new() -> io::Result<Self> {
        Poll::new().map(Self)
    }

    /// To put sockets in and out, from anywhere.
    pub fn registry(&self) -> io::Result<Registry> {
        self.0.registry().try_clone()
    }
}

impl Crowd {
    /// On the current runtime. At most so many events are seen at once.
    pub fn new(queue: Queue, events_max: usize) -> io::Result<Self> {
        // SAFETY: the queue is owned by what is returned, which closes it after the runtime has let go of it, and lends it only to
        // be asked for events.
        let poll = unsafe { AsyncFd::register_with_interest(queue.0, Interest::READABLE) }?;
        Ok(Self { poll, events: Events::with_capacity(events_max) })
    }

    /// Returns when something may have arrived. Cancel-safe.
    pub async fn arrived(&mut self) -> io::Result<()> {
        // Forgotten before anybody looks: what comes after that is told again.
        self.poll.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// What has arrived, and whether that may not be all.
    pub fn look(&mut self) -> io::Result<(&Events, bool)> {
        match self.poll.get_mut().poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let is_full = self.events.iter().count() == self.events.capacity();
        Ok((&self.events, is_full))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use mio::{Interest, Token};

    use super::*;

    fn pair(listener: &std::net::TcpListener) -> (std::net::TcpStream, mio::net::TcpStream) {
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        (client, mio::net::TcpStream::from_std(server))
    }

    #[tokio::test]
    async fn what_several_say_is_heard_at_once_and_each_is_told_of_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let queue = Queue::new().unwrap();
        let registry = queue.registry().unwrap();
        let mut crowd = Crowd::new(queue, 2).unwrap();
        let mut pairs: Vec<_> = (0..3).map(|_| pair(&listener)).collect();
        for (number, (client, server)) in pairs.iter_mut().enumerate() {
            registry.register(server, Token(number), Interest::READABLE).unwrap();
            client.write_all(b"word").unwrap();
        }
        let mut heard = Vec::new();
        while heard.len() < 3 {
            crowd.arrived().await.unwrap();
            let mut is_full = true;
            while is_full {
                let (events, more) = crowd.look().unwrap();
                heard.extend(events.iter().map(|event| event.token().0));
                is_full = more;
            }
        }
        heard.sort_unstable();
        assert_eq!(heard, [0, 1, 2]);
        assert_eq!(crowd.look().unwrap().0.iter().count(), 0);
        // After the first words are read, the next ones are told of.
        pairs[1].1.read_exact(&mut [0; 4]).unwrap();
        pairs[1].0.write_all(b"more").unwrap();
        crowd.arrived().await.unwrap();
        let (events, is_full) = crowd.look().unwrap();
        assert_eq!((events.iter().map(|event| event.token().0).collect::<Vec<_>>(), is_full), (vec![1], false));
    }
}
