//! Driver: a plain HTTP/1.1 client on a socket: what is sent is what is written, so that broken requests can be sent too.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// What came back, until the server closed.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Lower-case names; the last of each name.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }
}

pub fn get(address: SocketAddr, host: &str, path: &str) -> Result<Answer, String> {
    request(address, "GET", host, path, &[], b"")
}

/// One request on a connection of its own.
pub fn request(
    address: SocketAddr,
    method: &str,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, String> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    head += "\r\n";
    raw(address, &[head.as_bytes(), body].concat())
}

/// Sends these bytes and reads until the other side closes.
pub fn raw(address: SocketAddr, bytes: &[u8]) -> Result<Answer, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    // A server that refuses early may close before it has read all; its answer is what counts.
    let sent = stream.write_all(bytes);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        sent.map_err(text)?;
        read.map_err(text)?;
    }
    parse(&answer)
}

fn parse(answer: &[u8]) -> Result<Answer, String> {
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(|| format!("no HTTP: {:?}", String::from_utf8_lossy(answer)))?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| format!("no status: {status_line}"))?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &answer[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    Ok(Answer { status, body: if chunked { unchunk(rest)? } else { rest.to_vec() }, headers })
}

fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let line_end = rest.windows(2).position(|window| window == b"\r\n").ok_or("a chunk is cut off")?;
        let size_text = String::from_utf8_lossy(&rest[..line_end]).into_owned();
        let size = usize::from_str_radix(size_text.split(';').next().unwrap_or_default().trim(), 16)
            .map_err(|_| format!("no chunk size: {size_text}"))?;
        let data = rest.get(line_end + 2..line_end + 2 + size).ok_or("a chunk is cut off")?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(data);
        rest = rest.get(line_end + 4 + size..).ok_or("a chunk is cut off")?;
    }
}
