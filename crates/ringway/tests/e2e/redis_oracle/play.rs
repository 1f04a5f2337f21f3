//! Driver: plays a sequence to a redis-server and to Ringway and finds the first reply that differs.

use std::net::SocketAddr;

use ringway_testkit::{Client, Reply};

use super::compare::Comparison;
use super::grammar::Command;
use super::sequence::{Sequence, Step};
use super::words::all_keys;

/// A server, or nodes that are to look like one.
pub struct Side {
    pub addresses: Vec<SocketAddr>,
    pub user: String,
    pub password: String,
}

/// The first difference of a sequence.
#[derive(Debug, Clone)]
pub struct Found {
    pub command: Command,
    /// Not of the sequence itself: what was left after it.
    pub after: bool,
    pub redis: Reply,
    pub ringway: Reply,
}

impl Found {
    /// What makes two differences the same one, roughly.
    pub fn signature(&self) -> String {
        let kind = |reply: &Reply| match reply {
            Reply::Error(text) => text.chars().take(40).collect(),
            other => other.to_string().chars().next().map_or_else(String::new, |sign| sign.to_string()),
        };
        format!("{} {} {}", self.command.name(), kind(&self.redis), kind(&self.ringway))
    }
}

impl Side {
    pub fn client(&self, node: usize) -> Client {
        let address = self.addresses[node % self.addresses.len()];
        Client::log_in(address, &self.user, &self.password).unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    fn connect(&self, sequence: &Sequence) -> Vec<Client> {
        let mut client = self.client(0);
        for clean in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
            client.call(clean).expect("a new connection is served");
        }
        let connections = 1 + sequence.steps.iter().map(|step| step.connection).max().unwrap_or(0);
        (0..connections)
            .map(|at| {
                let mut client = self.client(sequence.nodes[at]);
                if sequence.resp == 3 {
                    client.call(&["HELLO", "3"]).expect("a new connection is served");
                }
                client
            })
            .collect()
    }
}

/// Both, with a new connection each, from an empty store.
pub fn play(redis: &Side, ringway: &Side, sequence: &Sequence) -> Option<Found> {
    let mut pair = Pair { redis: redis.connect(sequence), ringway: ringway.connect(sequence) };
    let mut comparisons = [Comparison::default(), Comparison::default()];
    for (connection, commands) in batches(sequence) {
        let found = pair.ask(connection, &commands, &mut comparisons[connection]);
        if found.is_some() {
            return found;
        }
    }
    pair.what_is_left(sequence)
}

struct Pair {
    redis: Vec<Client>,
    ringway: Vec<Client>,
}

impl Pair {
    fn ask(&mut self, connection: usize, commands: &[Command], comparison: &mut Comparison) -> Option<Found> {
        let (redis, ringway) = (&mut self.redis[connection], &mut self.ringway[connection]);
        let bytes: Vec<u8> = commands.iter().flat_map(|command| ringway_testkit::resp::frame(&command.words)).collect();
        // A server that has closed is noticed when its reply is missed.
        let _ = redis.write(&bytes);
        let _ = ringway.write(&bytes);
        for command in commands {
            let (redis, ringway) = (reply(redis), reply(ringway));
            if !comparison.alike(command, &redis, &ringway) {
                return Some(Found { command: command.clone(), after: false, redis, ringway });
            }
        }
        None
    }

    /// Compares every key, on a connection that cannot be within a transaction.
    fn what_is_left(&mut self, sequence: &Sequence) -> Option<Found> {
        let mut comparison = Comparison::default();
        let leave: Vec<Command> = vec![Command::of(&["DISCARD"])];
        let (redis, ringway) = (&mut self.redis[0], &mut self.ringway[0]);
        for client in [redis, ringway] {
            client.call(&leave[0].words).ok()?;
        }
        let keys = all_keys(sequence.keys);
        let mut reads = Vec::new();
        for key in &keys {
            let kind = self.redis[0].call(&["TYPE", key]).map_or_else(|_| String::new(), |reply| reply.to_string());
            reads.push(Command::of(&["TYPE", key]));
            match kind.as_str() {
                "+string" => reads.push(Command::of(&["GET", key])),
                "+list" => reads.push(Command::of(&["LRANGE", key, "0", "-1"])),
                "+hash" => reads.push(Command::of(&["HGETALL", key])),
                "+set" => reads.push(Command::of(&["SMEMBERS", key])),
                "+zset" => reads.push(Command::of(&["ZRANGE", key, "0", "-1", "WITHSCORES"])),
                _ => continue,
            }
            reads.push(Command::of(&["PTTL", key]));
        }
        let found = self.ask(0, &reads, &mut comparison);
        found.map(|found| Found { after: true, ..found })
    }
}

fn reply(client: &mut Client) -> Reply {
    client.read().unwrap_or_else(|error| Reply::Error(format!("no reply: {error}")))
}

/// Commands that are written at once.
fn batches(sequence: &Sequence) -> Vec<(usize, Vec<Command>)> {
    let mut batches: Vec<(usize, Vec<Command>)> = Vec::new();
    for Step { connection, commands } in &sequence.steps {
        match batches.last_mut() {
            Some((last, batch)) if sequence.pipelined && last == connection => batch.extend(commands.iter().cloned()),
            _ => batches.push((*connection, commands.clone())),
        }
    }
    batches
}
