//! Driver: nodes as processes, clusters of them, and the command line run against them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::programs::{Finished, finish};
use crate::{Scratch, wait_for};

const HTTP_PORT: u16 = 8080;
const HTTPS_PORT: u16 = 8443;
const REDIS_PORT: u16 = 7379;
const ADMIN_PORT: u16 = 7400;
const PEER_PORT: u16 = 7401;

/// Nodes that know each other. All are killed when it is dropped.
pub struct Cluster {
    pub scratch: Scratch,
    pub nodes: Vec<Node>,
    /// Added to what each node inherits that is made from now on.
    pub environment: Vec<(String, String)>,
    binary: PathBuf,
    network: [u8; 2],
}

/// One node: a process, or where one was.
pub struct Node {
    pub name: String,
    pub ip: IpAddr,
    pub data: PathBuf,
    pub log: PathBuf,
    /// Added to what the process inherits.
    pub environment: Vec<(String, String)>,
    binary: PathBuf,
    process: Option<Child>,
    own_mounts: bool,
}

impl Cluster {
    /// `size` nodes that have joined and hold their part of the ring.
    pub fn start(binary: &Path, size: usize) -> Self {
        Self::start_with(binary, size, &[])
    }

    /// The same, with more in their environment.
    pub fn start_with(binary: &Path, size: usize, environment: &[(&str, &str)]) -> Self {
        let mut cluster = Self::empty(binary);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        cluster.environment = environment.iter().map(owned).collect();
        for _ in 0..size {
            cluster.add();
        }
        cluster.settled();
        cluster
    }

    /// No node yet.
    pub fn empty(binary: &Path) -> Self {
        let scratch = Scratch::new("cluster");
        let random = std::process::id()
            ^ std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.subsec_nanos());
        let network = [(random % 200 + 20) as u8, (random / 200 % 250) as u8];
        Self { scratch, nodes: Vec::new(), environment: Vec::new(), binary: binary.to_owned(), network }
    }

    /// Starts one more node, which joins through the first.
    pub fn add(&mut self) -> &mut Node {
        let number = self.nodes.len() as u8 + 1;
        let mut node = self.node(number);
        let Some(first) = self.nodes.first() else {
            node.start(&["node"]);
            self.nodes.push(node);
            return self.last();
        };
        self.settled();
        let token = first.cli(&["token", "--quiet"]).ok();
        node.start(&["join", token.trim()]);
        self.nodes.push(node);
        self.last()
    }

    /// A node that has not been started.
    pub fn node(&self, number: u8) -> Node {
        let name = format!("n{number}");
        Node {
            ip: IpAddr::V4(Ipv4Addr::new(127, self.network[0], self.network[1], number)),
            data: self.scratch.join(&name),
            log: self.scratch.join(format!("{name}.log")),
            environment: self.environment.clone(),
            binary: self.binary.clone(),
            process: None,
            own_mounts: false,
            name,
        }
    }

    fn last(&mut self) -> &mut Node {
        self.nodes.last_mut().expect("one was just added")
    }

    /// Waits until all running nodes see each other up and no data is moving.
    pub fn settled(&self) {
        let running: Vec<&Node> = self.nodes.iter().filter(|node| node.is_running()).collect();
        for node in &running {
            wait_for(&format!("{} to see a settled ring of {}", node.name, running.len()), || {
                let status = node.status()?;
                let up = status["nodes"]
                    .as_array()
                    .map_or(0, |nodes| nodes.iter().filter(|node| node["reach"] == "up").count());
                let moving = &status["ring"]["moving"];
                if up == running.len() && moving.is_null() { Ok(()) } else { Err(format!("{up} up, moving {moving}")) }
            });
        }
    }
}

impl Node {
    /// Starts the process and waits until it answers.
    pub fn start(&mut self, command: &[&str]) {
        self.spawn(command, &[]);
        self.wait_until_it_answers();
    }

    /// Waits until a started process answers; panics with its log if it ends instead.
    pub fn wait_until_it_answers(&mut self) {
        let (name, log) = (self.name.clone(), self.log.clone());
        wait_for(&format!("node {name} to answer"), || {
            if let Some(status) = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten()) {
                panic!("node {name} ended ({status}):\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            self.status().map(|_| ())
        });
    }

    /// Starts the process, with more flags, and does not wait.
    pub fn spawn(&mut self, command: &[&str], flags: &[&str]) {
        let mut program = Command::new(&self.binary);
        program
            .args(command)
            .args(["--name", &self.name, "--bind", &self.ip.to_string(), "--data"])
            .arg(&self.data)
            .args(flags);
        self.run(program);
    }

    /// Starts `ringway node` with `dir` on a file system of `bytes`, in a mount namespace that ends with it.
    pub fn spawn_on_small_disk(&mut self, dir: &Path, bytes: u64) {
        let script = "mount -t tmpfs -o size=$1 ringway-test \"$2\" && shift 2 && exec \"$@\"";
        let mut program = Command::new("unshare");
        program.args(["--map-root-user", "--mount", "sh", "-c", script, "sh", &bytes.to_string()]).arg(dir);
        program
            .arg(&self.binary)
            .args(["node", "--name", &self.name, "--bind", &self.ip.to_string(), "--data"])
            .arg(&self.data);
        self.own_mounts = true;
        self.run(program);
    }

    /// The data directory as this process can reach it.
    fn reachable_data(&self) -> PathBuf {
        match &self.process {
            Some(process) if self.own_mounts => {
                PathBuf::from(format!("/proc/{}/root{}", process.id(), self.data.display()))
            }
            _ => self.data.clone(),
        }
    }

    fn run(&mut self, mut program: Command) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("the scratch directory is writable");
        let child = program
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.log.parent().expect("a log file is in a directory"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be cloned"))
            .stderr(log)
            .spawn()
            .expect("the binary is there");
        self.process = Some(child);
    }

    /// Starts it again after a stop or a kill.
    pub fn restart(&mut self) {
        self.start(&["node"]);
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the node runs").id()
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// SIGTERM, and waits for its end; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut process = self.process.take()?;
        let pid = nix::unistd::Pid::from_raw(process.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("the process is ours");
        wait_for("the node to stop", || process.try_wait().ok().flatten().ok_or("it still runs".to_owned())).code()
    }

    /// Waits for a process that ends by itself; its exit code and log.
    pub fn ended(&mut self) -> (Option<i32>, String) {
        let process = self.process.as_mut().expect("the node was started");
        let status =
            wait_for("the node to end", || process.try_wait().ok().flatten().ok_or("it still runs".to_owned()));
        self.process = None;
        (status.code(), self.read_log())
    }

    pub fn read_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The command line, talking to this node.
    pub fn cli(&self, arguments: &[&str]) -> Finished {
        let mut command = Command::new(&self.binary);
        command.arg("--admin").arg(self.reachable_data()).args(arguments);
        command.current_dir(self.log.parent().expect("a log file is in a directory"));
        finish(&mut command)
    }

    /// The command line with a file on its standard input.
    pub fn cli_with_input(&self, arguments: &[&str], input: &Path) -> Finished {
        let script = "input=$1; shift; exec \"$@\" < \"$input\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(input)
            .arg(&self.binary)
            .arg("--admin")
            .arg(self.reachable_data())
            .args(arguments);
        finish(&mut command)
    }

    /// A command with `--json`, parsed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.cli(&[&["--json"], arguments].concat()).ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?} printed no JSON ({error}): {out}"))
    }

    pub fn status(&self) -> Result<Value, String> {
        let finished = self.cli(&["--json", "status"]);
        if !finished.success {
            return Err(finished.err);
        }
        serde_json::from_str(&finished.out).map_err(|error| error.to_string())
    }

    pub fn http(&self) -> SocketAddr {
        SocketAddr::new(self.ip, HTTP_PORT)
    }

    pub fn https(&self) -> SocketAddr {
        SocketAddr::new(self.ip, HTTPS_PORT)
    }

    pub fn redis(&self) -> SocketAddr {
        SocketAddr::new(self.ip, REDIS_PORT)
    }

    pub fn admin(&self) -> SocketAddr {
        SocketAddr::new(self.ip, ADMIN_PORT)
    }

    pub fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.ip, PEER_PORT)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.read_log();
            let tail: Vec<&str> = log.lines().rev().take(25).collect();
            eprintln!("--- {} ---\n{}", self.name, tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}
