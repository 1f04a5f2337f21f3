//! Driver: a client, by the language it speaks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ringway_protocol::memcache::reply;
use ringway_protocol::resp::{Out, RespVersion};
use tokio::net::TcpStream;
use tracing::debug;

use crate::DataTier;
use crate::bucket::Bucket;
use crate::door::calm::Calm;
use crate::door::input::Input;
use crate::door::lobby::Lobby;
use crate::door::output::Output;
use crate::door::session::Session;
use crate::door::{connection, memcache};
use crate::fail::Fail;
use crate::memcache::server_error;
use crate::view::View;

/// Between two requests.
#[allow(clippy::large_enum_variant, reason = "most are the large one, and a client of the lobby is in a box")]
pub(super) enum Client {
    Redis(Session),
    Memcached(memcache::Session),
}

/// What is said instead of replies if what was written cannot be acknowledged. Which of them were reads does not matter: the client
/// is to try again.
#[derive(Debug)]
pub(super) enum Instead {
    /// So many errors.
    Redis(usize),
    /// A line for each, but for those that get no reply; `None`: the error.
    Memcached(Vec<Option<&'static str>>),
}

impl Client {
    /// Of what it is told.
    pub(super) fn version(&self) -> RespVersion {
        match self {
            Client::Redis(session) => session.version(),
            Client::Memcached(_) => RespVersion::Two,
        }
    }

    /// How it has asked lately.
    pub(super) fn calm(&mut self) -> &mut Calm {
        match self {
            Client::Redis(session) => session.calm(),
            Client::Memcached(session) => session.calm(),
        }
    }

    /// Its bucket, if it is open on this node.
    pub(super) fn bucket_in(&mut self, view: &Arc<View>) -> Option<&Arc<Bucket>> {
        match self {
            Client::Redis(session) => session.bucket_in(view),
            Client::Memcached(session) => session.bucket_in(view),
        }
    }

    /// Whether what it says next may be run as it comes, without a look at what it has said before.
    pub(super) fn takes_the_short_way(&self) -> bool {
        match self {
            Client::Redis(session) => session.takes_the_short_way(),
            Client::Memcached(_) => true,
        }
    }

    pub(super) fn note_read(&self, tier: &DataTier, len: usize) {
        if let Client::Memcached(_) = self {
            tier.stats.memcache_bytes_read.fetch_add(len as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn note_sent(&self, tier: &DataTier, len: usize) {
        if let Client::Memcached(_) = self {
            tier.stats.memcache_bytes_written.fetch_add(len as u64, Ordering::Relaxed);
        }
    }

    /// Has it go on, or begin, as a task: `replies` are sent, then what it has `said` is run.
    pub(super) fn go_on(
        self,
        tier: &Arc<DataTier>,
        lobby: &Arc<Lobby>,
        socket: std::net::TcpStream,
        replies: Out,
        said: &[u8],
    ) {
        let (tier_of_task, lobby_of_task, input) = (tier.clone(), lobby.clone(), Input::of(said));
        let name = match self {
            Client::Redis(_) => "redis connection",
            Client::Memcached(_) => "memcached connection",
        };
        // It stays on one core: what is polled there has been registered there.
        tier.tasks.spawn_on(lobby.core(), name, async move {
            let address = tracing::enabled!(tracing::Level::DEBUG).then(|| socket.peer_addr());
            if let Err(error) = self.serve(&tier_of_task, &lobby_of_task, socket, replies, input).await {
                debug!(client = ?address, %error, "connection ended");
            }
        });
    }

    async fn serve(
        self,
        tier: &Arc<DataTier>,
        lobby: &Lobby,
        socket: std::net::TcpStream,
        replies: Out,
        input: Input,
    ) -> io::Result<()> {
        let output = Output::new(TcpStream::from_std(socket)?, replies);
        match self {
            Client::Redis(session) => connection::serve(tier, lobby, session, input, output).await,
            Client::Memcached(session) => memcache::serve(tier, lobby, session, input, output).await,
        }
    }
}

impl Instead {
    pub(super) fn write(&self, fail: &Fail, out: &mut Out) {
        match self {
            Instead::Redis(count) => (0..*count).for_each(|_| out.error(&fail.0)),
            Instead::Memcached(lines) => {
                let error = server_error(fail);
                lines.iter().for_each(|line| reply::line(out, line.unwrap_or(&error)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ringway_protocol::memcache::{Parsed, parse};

    use super::*;
    use crate::door::memcache::Step;
    use crate::memcache::LIMITS;

    fn written(instead: &Instead) -> String {
        let mut out = Out::new(RespVersion::Two);
        instead.write(&Fail::new("MISCONF the disk is full"), &mut out);
        String::from_utf8(out.into_bytes().to_vec()).unwrap()
    }

    #[test]
    fn what_cannot_be_acknowledged_is_an_error_for_each_that_gets_a_reply() {
        assert_eq!(written(&Instead::Redis(2)), "-MISCONF the disk is full\r\n".repeat(2));
        let said = "set a 0 0 1\r\nx\r\nset b 0 0 1 noreply\r\nx\r\nget a\r\nmg a v q\r\nmn\r\nverbosity 1 noreply\r\n";
        let (mut rest, mut lines) = (said.as_bytes(), Vec::new());
        while !rest.is_empty() {
            let Parsed::Complete { used, request } = parse(rest, &LIMITS, 0) else { panic!("{rest:?}") };
            lines.extend(Step::of(request, &rest[..used]).instead());
            rest = &rest[used..];
        }
        let error = "SERVER_ERROR MISCONF the disk is full\r\n";
        // A quiet `mg` is silent about what was to be expected, not about errors.
        assert_eq!(written(&Instead::Memcached(lines)), format!("{}MN\r\n", error.repeat(3)));
    }
}
