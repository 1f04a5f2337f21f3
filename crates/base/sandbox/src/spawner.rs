//! Driver: the node's side of the spawner: a handle, and one task that owns the socket.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;
use ringway_rt::Tasks;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::child::{Child, Exit, Outcome};
use crate::command::{Command, Input, Output};
use crate::error::Error;
use crate::socket::{new_buffer, receive, send};
use crate::wire::{Event, MESSAGE_MAX, Request};

/// Starts that wait for the spawner.
const QUEUE_MAX: usize = 256;
const SIGNALS_MAX: usize = 4096;
/// Until a process must run its program, waiting for a spawner that is started again included.
const START_MAX: Duration = Duration::from_secs(30);
const RESTART_DELAY_MIN: Duration = Duration::from_millis(100);
const RESTART_DELAY_MAX: Duration = Duration::from_secs(5);

/// Starts processes. Cheap to clone; all clones are one spawner process.
#[derive(Clone, Debug)]
pub struct Spawner {
    launches: mpsc::Sender<Ask>,
    signals: mpsc::Sender<(u64, i32)>,
    last_id: Arc<AtomicU64>,
    landlock_version: Arc<AtomicI32>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Ask {
    id: u64,
    message: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    start: Start,
    exited: oneshot::Sender<Exit>,
}

/// The child on its way to whoever wants it. If that one has gone in the meantime, the child is dropped, and so killed.
#[derive(Debug)]
struct Start {
    child: Child,
    reply: oneshot::Sender<Result<Child, Error>>,
}

impl Spawner {
    /// Starts `program args` as the spawner process: a binary that calls [`spawner_main`](crate::spawner_main) then. Returns
    /// when it is ready. Call it early, while this process is small.
    pub async fn start<A: Into<OsString>>(program: &Path, args: impl IntoIterator<Item = A>) -> Result<Self, Error> {
        let (launches, asked) = mpsc::channel(QUEUE_MAX);
        let (signals, to_signal) = mpsc::channel(SIGNALS_MAX);
        let landlock_version = Arc::new(AtomicI32::new(0));
        let tasks = Tasks::new("sandbox");
        let mut driver = Driver {
            program: program.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            asked,
            to_signal,
            landlock_version: landlock_version.clone(),
            processes: HashMap::new(),
        };
        let link = driver.connect().await.map_err(Error::Spawner)?;
        let spawner = Self { launches, signals, last_id: Arc::default(), landlock_version, tasks };
        if spawner.landlock_version.load(Ordering::Relaxed) == 0 {
            warn!("this kernel has no landlock: apps are not fenced from each other's files nor from this node's");
        }
        let stop = spawner.tasks.token();
        spawner.tasks.spawn("spawner", async move { driver.run(link, stop).await });
        Ok(spawner)
    }

    /// Starts a process. Returns when it runs its program.
    pub async fn spawn(&self, mut command: Command) -> Result<Child, Error> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (stdin, input) = open_input(std::mem::replace(&mut command.input, Input::Nothing)).map_err(Error::Pipe)?;
        let (stdout, output) = open_output(&command.output).map_err(Error::Pipe)?;
        let (stderr, errors) = open_output(&command.errors).map_err(Error::Pipe)?;
        let request = Request::Launch(command.into_launch(id));
        let message = postcard::to_stdvec(&request).map_err(|error| Error::Refused(error.to_string()))?;
        if message.len() > MESSAGE_MAX {
            return Err(Error::TooLarge { len: message.len(), max: MESSAGE_MAX });
        }
        let (reply, started) = oneshot::channel();
        let (exited, exiting) = oneshot::channel();
        let signals = self.signals.clone();
        let child = Child { id, pid: 0, signals, exiting, exit: None, input, output, errors };
        let start = Start { child, reply };
        let ask = Ask { id, message, descriptors: vec![stdin, stdout, stderr], start, exited };
        let start = async {
            self.launches.send(ask).await.map_err(|_| Error::Stopping)?;
            started.await.map_err(|_| Error::Stopping)?
        };
        tokio::time::timeout(START_MAX, start).await.unwrap_or(Err(Error::TimedOut(START_MAX)))
    }

    /// What keeps processes apart on this machine, in words.
    pub fn isolation(&self) -> &'static str {
        match self.landlock_version.load(Ordering::Relaxed) {
            0 => "own session, no new privileges; no landlock: files are not fenced",
            1..=5 => "own session, no new privileges, landlock for files",
            _ => "own session, no new privileges, landlock for files and signals",
        }
    }

    /// Ends the spawner and every process that still runs.
    pub async fn stop(&self, within: Duration) {
        self.tasks.stop(within).await;
    }
}

/// Owns the socket and knows every process.
struct Driver {
    program: PathBuf,
    args: Vec<OsString>,
    asked: mpsc::Receiver<Ask>,
    to_signal: mpsc::Receiver<(u64, i32)>,
    landlock_version: Arc<AtomicI32>,
    processes: HashMap<u64, Process>,
}

struct Process {
    /// 0 until it is known.
    pid: i32,
    start: Option<Start>,
    exited: oneshot::Sender<Exit>,
}

struct Link {
    socket: AsyncFd<OwnedFd>,
    process: tokio::process::Child,
}

type Packet = (Vec<u8>, Vec<OwnedFd>);

impl Driver {
    /// Serves until told to stop; a spawner that dies is replaced.
    async fn run(&mut self, mut link: Link, stop: CancellationToken) {
        loop {
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => Ok(()),
                ended = self.serve(&link) => ended,
            };
            drop(link.socket);
            let status = link.process.wait().await;
            self.lose_all();
            let Err(why) = ended else { return };
            error!(%why, ?status, "the spawner died, and all apps on this node with it; starting it again");
            link = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                link = self.reconnect() => link,
            };
        }
    }

    async fn reconnect(&mut self) -> Link {
        let mut delay = RESTART_DELAY_MIN;
        loop {
            tokio::time::sleep(delay).await;
            match self.connect().await {
                Ok(link) => {
                    info!("spawner started again");
                    return link;
                }
                Err(why) => error!(%why, "spawner does not start"),
            }
            delay = (delay * 2).min(RESTART_DELAY_MAX);
        }
    }

    async fn connect(&mut self) -> io::Result<Link> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let flags = OFlag::from_bits_retain(fcntl(&ours, FcntlArg::F_GETFL)?);
        fcntl(&ours, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let process = tokio::process::Command::new(&self.program)
            .args(&self.args)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        // SAFETY: the descriptor is owned by the `AsyncFd` and so open as long as it is registered.
        let socket = unsafe { AsyncFd::register(ours) }.map_err(|error| error.into_parts().1)?;
        let link = Link { socket, process };
        match receive_event(&link.socket, &mut new_buffer()).await? {
            Event::Ready { landlock_version } => self.landlock_version.store(landlock_version, Ordering::Relaxed),
            other => return Err(io::Error::other(format!("it said {other:?} instead of being ready"))),
        }
        Ok(link)
    }

    /// `Ok` when all handles are gone, `Err` when the spawner is.
    async fn serve(&mut self, link: &Link) -> io::Result<()> {
        let mut outgoing: Option<Packet> = None;
        let mut buffer = new_buffer();
        loop {
            tokio::select! {
                biased;
                event = receive_event(&link.socket, &mut buffer) => self.note(event?),
                sent = link.socket.writable(), if outgoing.is_some() => {
                    let mut ready = sent?;
                    let Some((message, descriptors)) = &outgoing else { continue };
                    if let Ok(result) = ready.try_io(|socket| send(socket.get_ref().as_fd(), message, descriptors)) {
                        result?;
                        outgoing = None;
                    }
                }
                signal = self.to_signal.recv(), if outgoing.is_none() => {
                    let Some((id, signal)) = signal else { return Ok(()) };
                    if self.processes.contains_key(&id) {
                        outgoing = Some((encode(&Request::Signal { id, signal })?, Vec::new()));
                    }
                }
                ask = self.asked.recv(), if outgoing.is_none() => {
                    let Some(ask) = ask else { return Ok(()) };
                    let process = Process { pid: 0, start: Some(ask.start), exited: ask.exited };
                    self.processes.insert(ask.id, process);
                    outgoing = Some((ask.message, ask.descriptors));
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Ready { .. } => {}
            Event::Started { id, pid } => self.note_started(id, pid),
            Event::Failed { id, why } => {
                if let Some(start) = self.processes.remove(&id).and_then(|process| process.start) {
                    let _ = start.reply.send(Err(Error::Refused(why)));
                }
            }
            Event::Exited { id, code, signal, user_us, system_us, memory_peak } => {
                let outcome = match (code, signal) {
                    (Some(code), _) => Outcome::Code(code),
                    (None, Some(signal)) => Outcome::Signal(signal),
                    (None, None) => Outcome::Lost,
                };
                let (user, system) = (Duration::from_micros(user_us), Duration::from_micros(system_us));
                if let Some(process) = self.processes.remove(&id) {
                    let _ = process.exited.send(Exit { outcome, user, system, memory_peak });
                }
            }
        }
    }

    fn note_started(&mut self, id: u64, pid: i32) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.pid = pid;
        if let Some(mut start) = process.start.take() {
            start.child.pid = pid;
            let _ = start.reply.send(Ok(start.child));
        }
    }

    /// The kernel has killed the leaders with the spawner; their groups are killed here.
    fn lose_all(&mut self) {
        for (_, process) in self.processes.drain() {
            if process.pid != 0 {
                let _ = killpg(Pid::from_raw(process.pid), Signal::SIGKILL);
            }
            if let Some(start) = process.start {
                let _ = start.reply.send(Err(Error::SpawnerLost));
            }
            let _ = process.exited.send(Exit::LOST);
        }
    }
}

/// Cancel-safe: a packet is taken whole, and returned at once.
async fn receive_event(socket: &AsyncFd<OwnedFd>, buffer: &mut [u8]) -> io::Result<Event> {
    loop {
        let mut ready = socket.readable().await?;
        let Ok(received) = ready.try_io(|socket| receive(socket.get_ref().as_fd(), buffer)) else { continue };
        let (len, _) = received?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        return postcard::from_bytes(&buffer[..len]).map_err(io::Error::other);
    }
}

fn encode(request: &Request) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(request).map_err(io::Error::other)
}

fn open_input(wanted: Input) -> io::Result<(OwnedFd, Option<pipe::Sender>)> {
    match wanted {
        Input::Nothing => Ok((OpenOptions::new().read(true).open("/dev/null")?.into(), None)),
        Input::File(file) => Ok((file.into(), None)),
        Input::Pipe => {
            let (sender, receiver) = pipe::pipe()?;
            Ok((receiver.into_blocking_fd()?, Some(sender)))
        }
    }
}

fn open_output(wanted: &Output) -> io::Result<(OwnedFd, Option<pipe::Receiver>)> {
    match wanted {
        Output::Nowhere => Ok((OpenOptions::new().write(true).open("/dev/null")?.into(), None)),
        Output::Pipe => {
            let (sender, receiver) = pipe::pipe()?;
            Ok((sender.into_blocking_fd()?, Some(receiver)))
        }
    }
}
