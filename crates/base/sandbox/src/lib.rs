//! Driver: starts and watches the processes of apps, through one small helper process.
//!
//! Forking a large process with many threads is slow and unsafe, so the node forks once, while it is still small: it starts
//! itself again with a hidden argument ([`spawner_main`]), and that *spawner*, single-threaded and a few hundred kilobytes
//! large, forks everything else. The two talk over a Unix socket; file descriptors travel along with the requests.
//!
//! Each process gets a session of its own, exactly the environment it is given, closed descriptors, default signal
//! handling, `no_new_privs`, no core dumps and a [`Policy`] that Landlock enforces: read the system, not the node's data;
//! write only its own directories; signal only its own kind. Where the kernel has no Landlock, [`Spawner::isolation`] says so.
//!
//! **Invariant**: no orphans. A process whose leader exits is killed with its group. When the node dies, however it dies, the
//! spawner sees the end of the socket and kills everything; when the spawner dies, the kernel kills its children and the
//! node their groups, and a new spawner is started.
//!
//! It does *not* limit memory or CPU (no cgroups yet), hide the network, or change the user.
//!
//! Contains `unsafe`: fork, adopting descriptors that arrive over the socket, poll and close_range. Each block says why it is
//! sound; most of them rest on the spawner being single-threaded.

mod child;
mod command;
mod error;
mod launch;
mod policy;
mod socket;
mod spawner;
mod spawner_main;
mod wire;

pub use child::{Child, Exit, Outcome};
pub use command::{Command, Input, Output};
pub use error::Error;
pub use policy::Policy;
pub use spawner::Spawner;
pub use spawner_main::spawner_main;

/// The hidden argument by which a binary knows that it is to be the spawner.
pub const SPAWNER_ARGUMENT: &str = "__spawner";
