//! Driver: a bucket and the nodes that serve it, as a client program is told of them; or a redis-server in their place.
//!
//! With `RINGWAY_TEST_DOOR=redis-server` the programs talk to a real redis-server and memcached: what fails then is a fault of the test.

use std::net::SocketAddr;
use std::process::Command;

use ringway_testkit::programs::{Finished, finish};
use ringway_testkit::{Client, Cluster, Scratch, Server, wait};

use crate::{binary, bucket, node_path, python_path, root};

/// Whether real servers stand in for Ringway.
pub fn is_stood_in_for() -> bool {
    std::env::var("RINGWAY_TEST_DOOR").is_ok_and(|door| door == "redis-server")
}

/// A bucket at nodes of its own.
pub struct Door {
    pub name: String,
    pub token: String,
    /// One for each node.
    pub addresses: Vec<SocketAddr>,
    /// Of each node, where there is a memcached door to this bucket.
    pub memcached: Vec<SocketAddr>,
    pub cluster: Option<Cluster>,
    _servers: Vec<Server>,
}

impl Door {
    /// Nodes and a bucket on them, made with these options.
    pub fn open(nodes: usize, options: &[&str]) -> Self {
        if is_stood_in_for() {
            return Self::stand_in();
        }
        let cluster = Cluster::start(binary(), nodes);
        Self::of(cluster, options)
    }

    /// A bucket on nodes that run already.
    pub fn of(cluster: Cluster, options: &[&str]) -> Self {
        let (name, token) = bucket(&cluster.nodes[0], &[&["clients"], options].concat());
        let addresses = cluster.nodes.iter().map(ringway_testkit::Node::redis).collect();
        // The others hear of it a moment later.
        for node in &cluster.nodes {
            wait(&format!("{} to know the bucket", node.name), || {
                node.json(&["bucket", "ls"]).to_string().contains(&name)
            });
        }
        Self { name, token, addresses, memcached: Vec::new(), cluster: Some(cluster), _servers: Vec::new() }
    }

    /// One node with a memcached door to the bucket.
    pub fn open_with_memcached() -> Self {
        Self::open_with_memcached_for(Some("clients"))
    }

    /// One node with a memcached door, to whoever says which bucket and its token unless it is to one bucket only.
    pub fn open_with_memcached_for(bucket: Option<&str>) -> Self {
        if is_stood_in_for() {
            return Self::stand_in_with(bucket.is_none());
        }
        let mut cluster = Cluster::empty(binary());
        let address = SocketAddr::new(cluster.node(1).ip, MEMCACHED_PORT);
        let more =
            [("RINGWAY_MEMCACHE", Some(address.to_string())), ("RINGWAY_MEMCACHE_BUCKET", bucket.map(str::to_owned))];
        cluster.environment.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        cluster.add();
        cluster.settled();
        Self { memcached: vec![address], ..Self::of(cluster, &[]) }
    }

    fn stand_in() -> Self {
        Self::stand_in_with(false)
    }

    fn stand_in_with(memcached_authenticates: bool) -> Self {
        let (name, token) = ("clients".to_owned(), "secret".to_owned());
        let redis = Server::redis(&name, &token, &[]);
        let scratch = Scratch::new("memcached");
        let users = scratch.write("users", format!("{name}:{token}\n"));
        // It drops root's rights, and the file is in a directory of its own.
        let users = users.display().to_string();
        let options = ["-Y", users.as_str()];
        let memcached = Server::memcached(if memcached_authenticates { &options } else { &[] });
        let (addresses, at) = (vec![redis.address], vec![memcached.address]);
        Self { name, token, addresses, memcached: at, cluster: None, _servers: vec![redis, memcached] }
    }

    pub fn url(&self, node: usize) -> String {
        let address = self.addresses[node % self.addresses.len()];
        format!("redis://{}:{}@{address}", self.name, self.token)
    }

    pub fn client(&self, node: usize) -> Client {
        let address = self.addresses[node % self.addresses.len()];
        Client::log_in(address, &self.name, &self.token).expect("the door lets it in")
    }

    /// The process that serves, the first of several.
    pub fn pid(&self) -> u32 {
        match &self.cluster {
            Some(cluster) => cluster.nodes[0].pid(),
            None => self._servers[0].pid(),
        }
    }

    /// Runs `tests/clients/FILE` and expects it to see what it was to see.
    pub fn serves(&self, program: &str, arguments: &[&str]) {
        let finished = finish(self.program(program).args(arguments));
        assert!(
            finished.success && finished.out.trim_end().ends_with("fine"),
            "{program} {arguments:?} (exit {:?}):\n{}{}",
            finished.code,
            finished.out,
            last_lines(&finished)
        );
    }

    /// A program of `tests/clients`, told by its environment where the bucket is.
    pub fn program(&self, program: &str) -> Command {
        let clients = root().join("crates/ringway/tests/clients");
        let interpreter = match program.rsplit('.').next() {
            Some("py") => "python3",
            Some("js") => "node",
            _ => "php",
        };
        let urls: Vec<String> = (0..self.addresses.len()).map(|node| self.url(node)).collect();
        let memcached: Vec<String> = self.memcached.iter().map(ToString::to_string).collect();
        let mut command = Command::new(interpreter);
        command
            .env("REDIS_URL", &urls[0])
            .env("REDIS_URLS", urls.join(" "))
            .env("MEMCACHED_SERVERS", memcached.join(","))
            .env("PYTHONPATH", python_path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NODE_PATH", node_path());
        command.arg(clients.join(program));
        command
    }
}

const MEMCACHED_PORT: u16 = 11211;

fn last_lines(finished: &Finished) -> String {
    let lines: Vec<&str> = finished.err.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
