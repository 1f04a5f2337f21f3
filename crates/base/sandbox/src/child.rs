//! Driver: a running process, seen from the node.

use std::fmt;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

/// A process that was started. Dropped before it has exited, it is killed with all its group.
#[derive(Debug)]
pub struct Child {
    pub(crate) id: u64,
    /// 0 until it is started.
    pub(crate) pid: i32,
    pub(crate) signals: mpsc::Sender<(u64, i32)>,
    pub(crate) exiting: oneshot::Receiver<Exit>,
    pub(crate) exit: Option<Exit>,
    /// What the process reads, if asked for.
    pub input: Option<pipe::Sender>,
    /// What the process writes, if asked for.
    pub output: Option<pipe::Receiver>,
    pub errors: Option<pipe::Receiver>,
}

/// How a process ended, and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    pub outcome: Outcome,
    pub user: Duration,
    pub system: Duration,
    /// Largest resident memory, in bytes.
    pub memory_peak: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Code(i32),
    Signal(i32),
    /// The spawner died, and this process with it.
    Lost,
}

impl Child {
    pub fn pid(&self) -> u32 {
        u32::try_from(self.pid).unwrap_or(0)
    }

    /// Asks the process and its group to end.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends the process and its group.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Waits until the process has exited. Cancel-safe; may be called again.
    pub async fn wait(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let exit = (&mut self.exiting).await.unwrap_or(Exit::LOST);
        *self.exit.insert(exit)
    }

    fn signal(&self, signal: Signal) {
        let queued = self.signals.try_send((self.id, signal as i32));
        if queued.is_err() && self.exit.is_none() && self.pid > 0 {
            // The way through the spawner is full or closed. The number may be stale for an instant, but must not be missed.
            let _ = killpg(Pid::from_raw(self.pid), signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.exit.is_none() && self.exiting.try_recv().is_err() {
            self.kill();
        }
    }
}

impl Exit {
    pub(crate) const LOST: Self =
        Self { outcome: Outcome::Lost, user: Duration::ZERO, system: Duration::ZERO, memory_peak: 0 };

    pub fn is_success(&self) -> bool {
        self.outcome == Outcome::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome {
            Outcome::Code(code) => write!(f, "exited with status {code}"),
            Outcome::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {number}"),
            },
            Outcome::Lost => f.write_str("was killed, because the spawner died"),
        }
    }
}
