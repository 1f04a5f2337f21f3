//! Driver: the spawner's own loop. Waits for requests and for dying children, and does nothing else.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, setsid};

use crate::launch::launch;
use crate::policy::landlock_version;
use crate::socket::{new_buffer, receive, send};
use crate::wire::{DESCRIPTORS, Event, Request};

/// How long the spawner tries to find and kill what the dead node has left behind.
const CLEAN_UP_MAX: Duration = Duration::from_secs(5);

/// The whole life of the spawner: call it from `main`, before any thread is started, when the first argument is
/// [`SPAWNER_ARGUMENT`](crate::SPAWNER_ARGUMENT). Returns when the node is gone and all processes are dead.
pub fn spawner_main() -> io::Result<()> {
    let control = take_control_socket()?;
    // A terminal's Ctrl-C is for the node, which stops the apps in its own order.
    let _ = setsid();
    // Grandchildren that their parents leave behind become ours, so that they can be killed in the end.
    set_child_subreaper(true)?;
    let dying = watch_children()?;
    let mut spawner = SpawnerProcess { control, children: HashMap::new() };
    spawner.tell(&Event::Ready { landlock_version: landlock_version() })?;
    let ended = spawner.serve(&dying);
    spawner.kill_all();
    match ended {
        Err(error) if is_farewell(&error) => Ok(()),
        ended => ended,
    }
}

/// The node may go while it is being told something.
fn is_farewell(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

struct SpawnerProcess {
    control: OwnedFd,
    /// Who asked for which process.
    children: HashMap<Pid, u64>,
}

impl SpawnerProcess {
    fn serve(&mut self, dying: &SignalFd) -> io::Result<()> {
        let mut buffer = new_buffer();
        loop {
            let [request, death] = wait_for([self.control.as_raw_fd(), dying.as_fd().as_raw_fd()])?;
            if death {
                while dying.read_signal()?.is_some() {}
                self.reap()?;
            }
            if request && !self.serve_one(&mut buffer)? {
                return Ok(());
            }
        }
    }

    /// False when the node is gone.
    fn serve_one(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let (len, descriptors) = receive(self.control.as_fd(), buffer)?;
        if len == 0 {
            return Ok(false);
        }
        match postcard::from_bytes(&buffer[..len]).map_err(io::Error::other)? {
            Request::Launch(what) if descriptors.len() == DESCRIPTORS => {
                let event = match launch(&what, &descriptors) {
                    Ok(pid) => {
                        self.children.insert(pid, what.id);
                        Event::Started { id: what.id, pid: pid.as_raw() }
                    }
                    Err(why) => Event::Failed { id: what.id, why },
                };
                self.tell(&event)?;
            }
            Request::Launch(what) => {
                self.tell(&Event::Failed { id: what.id, why: "no standard streams".to_owned() })?
            }
            Request::Signal { id, signal } => self.signal(id, signal),
        }
        Ok(true)
    }

    fn signal(&self, id: u64, signal: i32) {
        let known = self.children.iter().find(|(_, known)| **known == id);
        if let (Some((pid, _)), Ok(signal)) = (known, Signal::try_from(signal)) {
            let _ = killpg(*pid, signal);
        }
    }

    /// Takes note of all children that have ended. The group goes with its leader; it is killed while the leader's number is
    /// still taken, so that it cannot be somebody else's.
    fn reap(&mut self) -> io::Result<()> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        loop {
            let status = match waitid(Id::All, flags) {
                Err(Errno::ECHILD) | Ok(WaitStatus::StillAlive) => return Ok(()),
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            let Some(pid) = status.pid() else { return Ok(()) };
            let asked_for = self.children.remove(&pid);
            if asked_for.is_some() {
                let _ = killpg(pid, Signal::SIGKILL);
            }
            let (code, signal, usage) = collect(pid)?;
            if let Some(id) = asked_for {
                self.tell(&Event::Exited {
                    id,
                    code,
                    signal,
                    user_us: micros(usage.ru_utime),
                    system_us: micros(usage.ru_stime),
                    memory_peak: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
                })?;
            }
        }
    }

    /// First the groups we know, then whoever left its group and is ours now that its parent is dead.
    fn kill_all(&mut self) {
        for pid in self.children.keys() {
            let _ = killpg(*pid, Signal::SIGKILL);
        }
        let begun = Instant::now();
        while begun.elapsed() < CLEAN_UP_MAX {
            for pid in own_children() {
                let _ = kill(pid, Signal::SIGKILL);
            }
            match waitid(Id::All, WaitPidFlag::WEXITED) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    fn tell(&self, event: &Event) -> io::Result<()> {
        let message = postcard::to_stdvec(event).map_err(io::Error::other)?;
        send(self.control.as_fd(), &message, &[])
    }
}

/// The node hands over its socket as standard input. It is moved away, and `/dev/null` takes its place.
fn take_control_socket() -> io::Result<OwnedFd> {
    let control = io::stdin().as_fd().try_clone_to_owned()?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: 0 is open, and nothing in this process reads from it.
    if unsafe { libc::dup2(null.as_raw_fd(), 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(control)
}

/// SIGCHLD becomes readable; the signals that mean "stop" are the node's business.
fn watch_children() -> nix::Result<SignalFd> {
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    let mut blocked = children;
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        blocked.add(signal);
    }
    blocked.thread_block()?;
    SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// Waits until one of them can be read (or is closed).
fn wait_for(descriptors: [i32; 2]) -> io::Result<[bool; 2]> {
    let mut polled = descriptors.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    loop {
        // SAFETY: the array lives during the call, and its length is right.
        let count = unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) };
        if count > 0 {
            return Ok(polled.map(|one| one.revents != 0));
        }
        let error = io::Error::last_os_error();
        if count < 0 && error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn collect(pid: Pid) -> io::Result<(Option<i32>, Option<i32>, libc::rusage)> {
    let mut status = 0;
    // SAFETY: a structure of numbers, for which zero is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid during the call, which does not wait: the process has ended already.
    if unsafe { libc::wait4(pid.as_raw(), &raw mut status, 0, &raw mut usage) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
    Ok((code, signal, usage))
}

fn micros(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}

fn own_children() -> Vec<Pid> {
    let listing = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    listing.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}
