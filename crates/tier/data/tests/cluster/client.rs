//! A client of raw bytes.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::TOKEN;

const DEADLINE: Duration = Duration::from_secs(10);

pub struct Client(TcpStream);

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub async fn authenticated(address: SocketAddr, bucket: &str) -> Self {
        let mut client = Self::connect(address).await;
        client.check(&format!("AUTH {bucket} {TOKEN}\r\n"), "+OK\r\n").await;
        client
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Says no more.
    pub async fn end(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Reads as many bytes as `expected` has and compares.
    pub async fn expect(&mut self, expected: &str) {
        let mut read = vec![0; expected.len()];
        let mut len = 0;
        while len < read.len() && read[..len] == expected.as_bytes()[..len] {
            match tokio::time::timeout(DEADLINE, self.0.read(&mut read[len..])).await.expect("a reply in time").unwrap()
            {
                0 => break,
                more => len += more,
            }
        }
        let mut read = String::from_utf8_lossy(&read[..len]).into_owned();
        if read != expected && len > 0 && !read.ends_with('\n') {
            read += &self.line().await;
        }
        assert_eq!(read, expected);
    }

    /// The same for what is too long to be shown.
    pub async fn expect_bytes(&mut self, expected: &[u8]) {
        let mut read = vec![0; expected.len()];
        let mut len = 0;
        while len < read.len() {
            match tokio::time::timeout(DEADLINE, self.0.read(&mut read[len..])).await.expect("a reply in time").unwrap()
            {
                0 => break,
                more => len += more,
            }
        }
        let start = String::from_utf8_lossy(&read[..len.min(100)]);
        assert!(read == expected, "{len} of {} bytes, beginning with {start:?}", expected.len());
    }

    /// Reads a line, without its CR LF.
    pub async fn line(&mut self) -> String {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n") {
            let byte = tokio::time::timeout(DEADLINE, self.0.read_u8()).await.expect("a reply in time").unwrap();
            read.push(byte);
        }
        String::from_utf8_lossy(&read).trim_end().to_owned()
    }

    pub async fn check(&mut self, request: &str, reply: &str) {
        self.send(request.as_bytes()).await;
        self.expect(reply).await;
    }

    pub async fn expect_end(&mut self) {
        let mut rest = Vec::new();
        tokio::time::timeout(DEADLINE, self.0.read_to_end(&mut rest)).await.expect("the end in time").unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

/// A command as an array of bulk strings.
pub fn array(words: &[&str]) -> String {
    let args: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{args}", words.len())
}

/// A reply of protocol version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Text(String),
    Int(i64),
    Error(String),
    Null,
    Array(Vec<Reply>),
}

impl Reply {
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Error(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    pub fn int(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            other => panic!("{other:?} is no number"),
        }
    }

    pub fn items(&self) -> &[Reply] {
        match self {
            Self::Array(items) => items,
            other => panic!("{other:?} is no array"),
        }
    }
}

impl Client {
    /// Sends a command and reads its reply.
    pub async fn ask(&mut self, words: &[&str]) -> Reply {
        self.send(array(words).as_bytes()).await;
        self.reply().await
    }

    fn reply(&mut self) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        Box::pin(async {
            let line = self.skip_line().await;
            let (kind, rest) = line.split_at(1);
            match kind {
                "+" => Reply::Text(rest.to_owned()),
                "-" => Reply::Error(rest.to_owned()),
                ":" => Reply::Int(rest.parse().unwrap()),
                "$" | "*" if rest == "-1" => Reply::Null,
                "$" => {
                    let mut bytes = vec![0; rest.parse::<usize>().unwrap() + 2];
                    let read = self.0.read_exact(&mut bytes);
                    tokio::time::timeout(DEADLINE, read).await.expect("a value in time").unwrap();
                    bytes.truncate(bytes.len() - 2);
                    Reply::Text(String::from_utf8(bytes).unwrap())
                }
                "*" => {
                    let mut items = Vec::new();
                    for _ in 0..rest.parse().unwrap() {
                        items.push(self.reply().await);
                    }
                    Reply::Array(items)
                }
                _ => panic!("what is {line:?}?"),
            }
        })
    }
}

impl Client {
    /// Reads a line and returns it without its end.
    pub async fn skip_line(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            let byte = tokio::time::timeout(DEADLINE, self.0.read_u8()).await.expect("a line in time").unwrap();
            match byte {
                b'\n' => return String::from_utf8(line).unwrap().trim_end_matches('\r').to_owned(),
                byte => line.push(byte),
            }
        }
    }
}
