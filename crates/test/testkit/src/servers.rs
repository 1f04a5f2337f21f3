//! Driver: the real redis-server and memcached, as oracles: started on a free port, killed when dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::{Scratch, wait_for};

/// A server of somebody else's.
pub struct Server {
    pub address: SocketAddr,
    process: Child,
    _scratch: Scratch,
}

impl Server {
    /// redis-server with one user who may do all, and nothing on disk.
    pub fn redis(user: &str, password: &str, more: &[&str]) -> Self {
        let address = free_address();
        let scratch = Scratch::new("redis-server");
        let mut command = Command::new("redis-server");
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        command.args(["--bind", &host, "--port", &port, "--save", ""]);
        command.args(["--user", user, "on", &format!(">{password}"), "~*", "&*", "+@all", "--user", "default", "off"]);
        command.args(more).current_dir(&*scratch);
        Self::start(command, address, scratch)
    }

    pub fn memcached(more: &[&str]) -> Self {
        let address = free_address();
        let mut command = Command::new("memcached");
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        command.args(["-u", "nobody", "-l", &host, "-p", &port, "-U", "0"]).args(more);
        Self::start(command, address, Scratch::new("memcached"))
    }

    fn start(mut command: Command, address: SocketAddr, scratch: Scratch) -> Self {
        let log = scratch.write("log", "");
        let file = std::fs::OpenOptions::new().append(true).open(&log).expect("the scratch directory is writable");
        let mut process = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file can be cloned"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start ({error}): scripts/setup test installs it"));
        wait_for(&format!("{command:?} to listen"), || {
            if let Some(status) = process.try_wait().ok().flatten() {
                panic!("{command:?} ended ({status}):\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            TcpStream::connect(address).map_err(|error| error.to_string())
        });
        Self { address, process, _scratch: scratch }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address that was free a moment ago. Of a network of its own: the nodes' are 127.20 and above.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 9, 1, 1), 0)).expect("loopback has a free port");
    listener.local_addr().expect("a listener has an address")
}
