//! Driver: a load generator for Redis and memcached doors, as cheap as it gets, so that one core of it fills one core of a server.
//!
//! One thread, a few dozen connections. Each connection sends a batch of `--pipe` requests, waits for all replies, and sends the
//! next: a closed loop, as in redis-benchmark. With `--rate` batches are due by the clock instead, and latency runs from when a
//! batch was due, not from when a connection was free to send it: a stall is then seen by all the requests that fall into it
//! (Gil Tene's "coordinated omission"). Requests are rendered from templates; of replies it checks kind, length and end.
//!
//! What it is for is the figure *operations per CPU second of the server*: `--pid` names the server's processes, and the kernel's
//! scheduler says what they used between the end of the warm-up and the end of the run. Pin both from outside (`taskset`).
//!
//! It does not look at values, follow redirections or reconnect: a refused request and a lost connection are errors, which are
//! counted and shown.
//!
//! `ringway-loadgen upstream` is the other end: what stands behind the proxies and caches that are measured with wrk and h2load.

mod cluster;
mod connection;
mod histogram;
mod keys;
mod lot;
mod options;
mod reply;
mod report;
mod request;
mod run;
mod server;
mod upstream;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let options = options::Options::parse();
    let done = match &options.role {
        Some(options::Role::Upstream { listen }) => upstream::run(*listen),
        None => run::run(&options).map(|seen| println!("{}", if options.json { seen.json() } else { seen.line() })),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}
