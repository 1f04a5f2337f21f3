//! Driver: the clients of one core that only ask what can be answered here and at once: most clients, nearly always.
//!
//! They are no tasks: the lobby reads what all of them have said by now, runs it in one turn ([`super::turn`]) and writes the replies.
//! Who says anything else leaves and becomes a task ([`super::connection`]) with what it has said; when it has asked nothing special
//! for a while, it comes back. Writes that have to get somewhere else before they are acknowledged are waited for together, once for
//! all clients of a turn.

use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use ringway_protocol::resp::{Out, RespVersion, Words};
use ringway_rt::crowd::{Crowd, Queue};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tracing::{debug, error, warn};

use crate::DataTier;
use crate::Error;
use crate::bucket::Bucket;
use crate::call::Written;
use crate::door::client::{Client, Instead};
use crate::door::turn::{Answered, Asked, Turn, Wrote};
use crate::handover::Running;
use crate::view::View;

/// Clients that are looked at before other tasks of this core have their turn.
const EVENTS_MAX: usize = 64;
/// What one client may say at once; who has said more goes the long way.
const READ_LEN: usize = 32 * 1024;
/// What all clients of one turn may say.
const TURN_LEN: usize = 256 * 1024;
/// Commands of one turn: the memory of their keys is to stay in the cache until they run.
const TURN_COMMANDS: usize = 24;

/// A client in between two requests.
struct Caller {
    socket: TcpStream,
    client: Client,
    /// The beginning of a command.
    rest: Vec<u8>,
    /// Replies that wait for a write to be settled.
    waiting: Option<Waiting>,
    /// It has said something meanwhile; `true`: and will say no more.
    has_said: Option<bool>,
}

struct Waiting {
    replies: Out,
    /// What is said if it cannot be settled.
    instead: Instead,
    /// What it had said, and was not run yet.
    left: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Lobby {
    core: Handle,
    registry: Registry,
    queue: Mutex<Option<Queue>>,
    callers: Mutex<Callers>,
    /// There are callers with something to say of which no event will tell.
    is_due: Notify,
}

#[derive(Default)]
struct Callers {
    /// By token.
    places: Vec<Option<Box<Caller>>>,
    free: Vec<usize>,
    /// Who has said something while it waited, and whether that was all.
    due: Vec<(usize, bool)>,
}

/// What one client has said, in the lobby's buffer.
struct Said {
    token: usize,
    bytes: Range<usize>,
    /// There may be more than was read.
    is_long: bool,
}

/// What clients have written to a bucket and is to be waited for: once for those of several turns.
struct Unsettled {
    view: Arc<View>,
    bucket: Arc<Bucket>,
    running: Running,
    written: Written,
    tokens: Vec<usize>,
}

/// What only one task works with.
struct Desk {
    bytes: Box<[u8]>,
    said: Vec<Said>,
    unsettled: Vec<Unsettled>,
    words: Words,
    out: Out,
}

impl Lobby {
    pub(crate) fn new(core: Handle) -> std::io::Result<Arc<Self>> {
        let queue = Queue::new()?;
        let registry = queue.registry()?;
        let (callers, is_due) = (Mutex::default(), Notify::new());
        Ok(Arc::new(Self { core, registry, queue: Mutex::new(Some(queue)), callers, is_due }))
    }

    pub(crate) fn core(&self) -> &Handle {
        &self.core
    }

    /// Takes a client that has nothing to wait for.
    pub(super) fn enter(&self, socket: std::net::TcpStream, client: Client) -> std::io::Result<()> {
        let mut socket = TcpStream::from_std(socket);
        let mut callers = self.callers();
        let token = callers.free.pop().unwrap_or_else(|| {
            callers.places.push(None);
            callers.places.len() - 1
        });
        if let Err(error) = self.registry.register(&mut socket, Token(token), Interest::READABLE) {
            callers.free.push(token);
            return Err(error);
        }
        let caller = Caller { socket, client, rest: Vec::new(), waiting: None, has_said: None };
        callers.places[token] = Some(Box::new(caller));
        Ok(())
    }

    fn callers(&self) -> MutexGuard<'_, Callers> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, callers: &mut Callers, token: usize) -> Option<Caller> {
        let mut caller = callers.places.get_mut(token)?.take()?;
        callers.free.push(token);
        if let Err(error) = self.registry.deregister(&mut caller.socket) {
            debug!(%error, "client was not known to the kernel");
        }
        Some(*caller)
    }

    /// The client goes on as a task: `replies` are sent, then what it has said is run.
    fn leave(self: &Arc<Self>, tier: &Arc<DataTier>, callers: &mut Callers, token: usize, replies: Out, said: &[u8]) {
        if let Some(Caller { socket, mut client, rest, .. }) = self.take(callers, token) {
            client.calm().end();
            let said = if said.is_empty() { &rest } else { said };
            client.go_on(tier, self, socket.into(), replies, said);
        }
    }

    /// Writes replies as far as the kernel takes them; a slow reader goes on as a task.
    fn send(self: &Arc<Self>, tier: &Arc<DataTier>, callers: &mut Callers, token: usize, out: &mut Out, left: &[u8]) {
        let Some(Some(caller)) = callers.places.get_mut(token) else { return out.clear() };
        let sent = match out.plain() {
            Some([]) => Ok(0),
            Some(bytes) => caller.socket.write(bytes),
            None => Ok(0),
        };
        match sent {
            Ok(len) => {
                caller.client.note_sent(tier, len);
                out.advance(len);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => {
                debug!(%error, "connection ended");
                drop(self.take(callers, token));
                return out.clear();
            }
        }
        if !out.is_empty() || !left.is_empty() {
            let version = out.version();
            self.leave(tier, callers, token, std::mem::replace(out, Out::new(version)), left);
        }
    }

    /// What was written with these clients' commands is settled, or not.
    fn settle(self: &Arc<Self>, tier: &Arc<DataTier>, tokens: &[usize], settled: Result<(), Error>) {
        let mut callers = self.callers();
        let error = settled.err().map(|error| error.fail());
        for token in tokens {
            let Some(Some(caller)) = callers.places.get_mut(*token) else { continue };
            let Some(Waiting { mut replies, instead, left }) = caller.waiting.take() else { continue };
            let has_said = caller.has_said.take();
            if let Some(fail) = &error {
                replies.clear();
                instead.write(fail, &mut replies);
            }
            self.send(tier, &mut callers, *token, &mut replies, &left);
            if tier.tasks.is_stopping() {
                drop(self.take(&mut callers, *token));
            } else if let Some(is_last) = has_said {
                callers.due.push((*token, is_last));
            }
        }
        if !callers.due.is_empty() {
            self.is_due.notify_one();
        }
    }

    /// Closes all connections but those that wait: they are told first how it went.
    fn close(&self) {
        let mut callers = self.callers();
        for token in 0..callers.places.len() {
            if callers.places[token].as_ref().is_some_and(|caller| caller.waiting.is_none()) {
                drop(self.take(&mut callers, token));
            }
        }
    }

    /// Has clients wait that have written.
    fn wait(self: &Arc<Self>, tier: &Arc<DataTier>, Unsettled { view, bucket, running, written, tokens }: Unsettled) {
        let (lobby, tier_of_task) = (self.clone(), tier.clone());
        tier.tasks.spawn_on(&self.core, "writes of clients", async move {
            let settled = tier_of_task.finish_writing(&view, &bucket, written).await;
            drop(running);
            lobby.settle(&tier_of_task, &tokens, settled);
        });
    }
}

/// Whether it can answer clients of this bucket, as far as can be told.
pub(super) fn takes_clients_of(tier: &DataTier, bucket: Option<&Arc<Bucket>>) -> bool {
    let is_unpaced = bucket.is_some_and(|bucket| bucket.spec.ops_per_second.is_none());
    is_unpaced && !tier.config.redis_redirect && !tier.tasks.is_stopping()
}

/// Serves the clients of one core until the tier stops.
pub(crate) async fn run(tier: Arc<DataTier>, lobby: Arc<Lobby>) {
    let queue = lobby.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(queue) = queue else { return };
    if let Err(error) = serve(&tier, &lobby, queue).await {
        warn!(%error, "clients cannot be waited for together");
    }
    lobby.close();
}

async fn serve(tier: &Arc<DataTier>, lobby: &Arc<Lobby>, queue: Queue) -> std::io::Result<()> {
    let (mut crowd, mut desk) = (Crowd::new(queue, EVENTS_MAX)?, Desk::new());
    let mut stopping = pin!(tier.tasks.stopping());
    loop {
        tokio::select! {
            biased;
            () = &mut stopping => return Ok(()),
            () = lobby.is_due.notified() => {}
            arrived = crowd.arrived() => arrived?,
        }
        while open(&mut desk, tier, lobby, &mut crowd)? {
            tokio::task::yield_now().await;
        }
    }
}

/// Answers whoever has said something. Whether there may be more of them.
fn open(desk: &mut Desk, tier: &Arc<DataTier>, lobby: &Arc<Lobby>, crowd: &mut Crowd) -> std::io::Result<bool> {
    let opened = catch_unwind(AssertUnwindSafe(|| desk.open(tier, lobby, crowd)));
    opened.unwrap_or_else(|_| {
        // Where they were is not known: they are to come again, rather than wait for an answer that never comes.
        error!("clients of this core are cut off: answering them has panicked");
        *desk = Desk::new();
        lobby.close();
        Ok(true)
    })
}

/// Whether the client says no more after this: then it is not enough to read once.
fn is_last(event: &Event) -> bool {
    event.is_read_closed() || event.is_error()
}

impl Desk {
    fn new() -> Self {
        Self {
            bytes: vec![0; TURN_LEN].into(),
            said: Vec::new(),
            unsettled: Vec::new(),
            words: Words::new(),
            out: Out::new(RespVersion::Two),
        }
    }

    fn open(&mut self, tier: &Arc<DataTier>, lobby: &Arc<Lobby>, crowd: &mut Crowd) -> std::io::Result<bool> {
        let (events, is_full) = crowd.look()?;
        let mut callers = lobby.callers();
        for (token, is_last) in std::mem::take(&mut callers.due) {
            self.hear(tier, lobby, &mut callers, token, is_last);
        }
        self.answer(tier, lobby, &mut callers);
        for event in events {
            self.hear(tier, lobby, &mut callers, event.token().0, is_last(event));
        }
        self.answer(tier, lobby, &mut callers);
        self.unsettled.drain(..).for_each(|unsettled| lobby.wait(tier, unsettled));
        Ok(is_full)
    }

    /// Reads what a client has said. It has its turn with the next [`Desk::answer`].
    fn hear(&mut self, tier: &Arc<DataTier>, lobby: &Arc<Lobby>, callers: &mut Callers, token: usize, is_last: bool) {
        let from = self.said.last().map_or(0, |said| said.bytes.end);
        let Some(Some(caller)) = callers.places.get_mut(token) else { return };
        if caller.waiting.is_some() {
            caller.has_said = Some(is_last || caller.has_said == Some(true));
            return;
        }
        let rest = std::mem::take(&mut caller.rest);
        let (start, until) = (from + rest.len(), from + rest.len() + READ_LEN);
        self.bytes[from..start].copy_from_slice(&rest);
        match caller.socket.read(&mut self.bytes[start..until]) {
            Ok(0) => drop(lobby.take(callers, token)),
            Ok(len) => {
                caller.client.note_read(tier, len);
                let bytes = from..start + len;
                let is_long = is_last || len == READ_LEN || bytes.len() >= READ_LEN;
                self.said.push(Said { token, bytes, is_long });
                if start + len + 2 * READ_LEN > TURN_LEN {
                    self.answer(tier, lobby, callers);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => caller.rest = rest,
            Err(error) => {
                debug!(%error, "connection ended");
                drop(lobby.take(callers, token));
            }
        }
    }

    /// Gives what was heard its turn, and sends the replies.
    fn answer(&mut self, tier: &Arc<DataTier>, lobby: &Arc<Lobby>, callers: &mut Callers) {
        let mut said = std::mem::take(&mut self.said);
        let mut first = 0;
        while first < said.len() {
            first += self.answer_some(tier, lobby, callers, &said[first..]);
        }
        said.clear();
        self.said = said;
    }

    /// Answers those at the front, as many as make a turn. How many.
    fn answer_some(&mut self, tier: &Arc<DataTier>, lobby: &Arc<Lobby>, callers: &mut Callers, said: &[Said]) -> usize {
        let (mut turn, mut asked, mut askers) = (Turn::new(tier), Vec::<Asked>::new(), Vec::<&Said>::new());
        let mut heard = 0;
        for said in said {
            heard += 1;
            let Some(Some(caller)) = callers.places.get_mut(said.token) else { continue };
            let bytes = &self.bytes[said.bytes.clone()];
            let taken = if said.is_long { None } else { turn.take(&mut caller.client, bytes, &mut self.words) };
            match taken {
                Some(taken) => {
                    caller.rest.extend_from_slice(&bytes[taken.used()..]);
                    asked.push(taken);
                    askers.push(said);
                }
                None => {
                    let version = caller.client.version();
                    lobby.leave(tier, callers, said.token, Out::new(version), bytes);
                }
            }
            if turn.len() >= TURN_COMMANDS {
                break;
            }
        }
        let mut waiting: Vec<Vec<usize>> = Vec::new();
        let wrote = turn.run(&asked, &mut self.out, |number, answered, out| {
            let said = askers[number];
            let bytes = &self.bytes[said.bytes.clone()];
            if let Some((group, _)) = answered.waits_for.as_ref().filter(|_| !answered.is_broken) {
                waiting.resize_with(waiting.len().max(group + 1), Vec::new);
                waiting[*group].push(said.token);
            }
            finish(tier, lobby, callers, said.token, bytes, answered, out);
        });
        waiting.resize_with(wrote.len(), Vec::new);
        wrote
            .into_iter()
            .zip(waiting)
            .for_each(|(wrote, tokens)| note_written(&mut self.unsettled, tier, wrote, tokens));
        heard
    }
}

/// What was written in a turn, and whose replies wait for it.
fn note_written(unsettled: &mut Vec<Unsettled>, tier: &DataTier, (local, written): Wrote<'_>, tokens: Vec<usize>) {
    // Who has written may be gone, but what it wrote is there.
    if written.count == 0 || !local.must_wait(&written) {
        return tier.finish_alone(local.view(), local.bucket(), &written);
    }
    let (view, bucket, running) = local.into_parts();
    let is_same = |earlier: &&mut Unsettled| Arc::ptr_eq(&earlier.bucket, &bucket) && Arc::ptr_eq(&earlier.view, &view);
    match unsettled.iter_mut().find(is_same) {
        Some(earlier) => {
            earlier.written.append(written);
            earlier.tokens.extend(tokens);
        }
        None => unsettled.push(Unsettled { view, bucket, running, written, tokens }),
    }
}

/// Sends what a client is answered, or keeps it until what was written is settled.
fn finish(
    tier: &Arc<DataTier>,
    lobby: &Arc<Lobby>,
    callers: &mut Callers,
    token: usize,
    bytes: &[u8],
    answered: Answered,
    out: &mut Out,
) {
    let Some(Some(caller)) = callers.places.get_mut(token) else { return out.clear() };
    if answered.is_broken {
        out.clear();
        return drop(lobby.take(callers, token));
    }
    // What is the beginning of a command is not run by others: it goes along if anything else does.
    let left = if answered.is_all { &[][..] } else { &bytes[answered.used..] };
    if !left.is_empty() {
        caller.rest = Vec::new();
    }
    if let Some((_, instead)) = answered.waits_for {
        let replies = std::mem::take(out);
        caller.waiting = Some(Waiting { replies, instead, left: left.to_vec() });
        return;
    }
    lobby.send(tier, callers, token, out, left);
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callers").field("places", &self.places.len()).finish_non_exhaustive()
    }
}
