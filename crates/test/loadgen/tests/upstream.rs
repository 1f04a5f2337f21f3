//! The program as the benchmark's upstream, over real sockets.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

const DEADLINE: Duration = Duration::from_secs(20);

struct Upstream {
    process: Child,
    address: String,
}

impl Upstream {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ringway-loadgen"))
            .args(["upstream", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("it says where");
        let address = line.trim_end().strip_prefix("listening on ").expect("an address").to_owned();
        Self { process, address }
    }

    /// Sends these pieces and reads until the other side closes.
    fn ask(&self, pieces: &[&str]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        for piece in pieces {
            stream.write_all(piece.as_bytes()).expect("it reads");
        }
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).expect("it answers and closes");
        seen
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const CLOSE: &str = "Host: a\r\nConnection: close\r\n\r\n";

/// Length of the first answer's head.
fn head_len(seen: &[u8]) -> usize {
    seen.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4
}

#[test]
fn pipelined_requests_are_answered_in_order_and_the_last_closes() {
    let seen = Upstream::start().ask(&["GET /1k HTTP/1.1\r\n\r\nGET /private/64k HTTP/1.1\r\n", CLOSE]);
    let second = &seen[head_len(&seen) + 1024..];
    assert!(String::from_utf8_lossy(second).starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(second.len() - head_len(second), 65_536);
}

#[test]
fn ten_megabytes_arrive_whole_at_a_client_that_reads_late() {
    let seen = Upstream::start().ask(&["GET /10m HTTP/1.1\r\n", CLOSE]);
    assert_eq!(seen.len() - head_len(&seen), 10 << 20);
}

#[test]
fn a_posted_body_is_read_over() {
    let body = "x".repeat(100_000);
    let post = format!("POST /v1/traces HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let seen = Upstream::start().ask(&[&post, "GET /1k HTTP/1.1\r\n", CLOSE]);
    let second = &seen[head_len(&seen)..];
    assert_eq!(second.len() - head_len(second), 1024);
}

#[test]
fn nonsense_ends_its_own_connection_only() {
    let upstream = Upstream::start();
    assert_eq!(upstream.ask(&["nonsense\r\n\r\n"]), b"");
    assert_eq!(
        upstream.ask(&["GET /1k HTTP/1.1\r\n", CLOSE]).len() % 1024,
        head_len(&upstream.ask(&["HEAD /1k HTTP/1.1\r\n", CLOSE]))
    );
}
