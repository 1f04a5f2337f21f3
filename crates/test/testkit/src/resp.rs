//! Driver: a plain Redis client on a socket: what is sent is what is written, and what comes back keeps its exact type, so
//! that answers of two servers can be compared and broken frames can be sent.

use std::fmt;
use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
const DEPTH_MAX: usize = 64;

/// One reply as it was on the wire: `$-1`, `*-1` and `_` are different things.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    NoBulk,
    NoArray,
    Null,
    Array(Vec<Reply>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Double(String),
    Boolean(bool),
    BigNumber(String),
    Verbatim(Vec<u8>),
}

/// A connection. Dropping it closes it.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::with_capacity(64 << 10, stream) })
    }

    /// Connects and says who it is.
    pub fn log_in(address: SocketAddr, user: &str, password: &str) -> Result<Self> {
        let mut client = Self::connect(address)?;
        match client.call(&["AUTH", user, password])? {
            Reply::Simple(_) => Ok(client),
            refusal => Err(Error::other(refusal.to_string())),
        }
    }

    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    pub fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<()> {
        self.write(&frame(words))
    }

    pub fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply> {
        self.send(words)?;
        self.read()
    }

    pub fn read(&mut self) -> Result<Reply> {
        self.read_nested(0)
    }

    /// What comes until the other side closes: nothing if it has closed already.
    pub fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.reader.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
            _ => Ok(bytes),
        }
    }

    fn read_nested(&mut self, depth: usize) -> Result<Reply> {
        let line = self.line()?;
        let (&kind, text) = line.as_bytes().split_first().ok_or_else(|| broken("an empty line"))?;
        let text = std::str::from_utf8(text).map_err(|_| broken(&line))?;
        if depth > DEPTH_MAX {
            return Err(broken("nested too deeply"));
        }
        Ok(match kind {
            b'+' => Reply::Simple(text.to_owned()),
            b'-' => Reply::Error(text.to_owned()),
            b':' => Reply::Integer(number(text)?),
            b'_' => Reply::Null,
            b',' => Reply::Double(text.to_owned()),
            b'#' => Reply::Boolean(text == "t"),
            b'(' => Reply::BigNumber(text.to_owned()),
            b'$' if text == "-1" => Reply::NoBulk,
            b'$' => Reply::Bulk(self.bytes(number(text)?)?),
            b'=' => Reply::Verbatim(self.bytes(number(text)?)?),
            b'*' if text == "-1" => Reply::NoArray,
            b'*' => Reply::Array(self.items(number(text)?, depth)?),
            b'~' => Reply::Set(self.items(number(text)?, depth)?),
            b'>' => Reply::Push(self.items(number(text)?, depth)?),
            b'%' => {
                let flat = self.items(2 * number(text)?, depth)?;
                let mut flat = flat.into_iter();
                Reply::Map(std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect())
            }
            _ => return Err(broken(&line)),
        })
    }

    fn items(&mut self, count: i64, depth: usize) -> Result<Vec<Reply>> {
        (0..count).map(|_| self.read_nested(depth + 1)).collect()
    }

    /// A line without its end. Lossy: error texts may quote what was sent.
    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None if line.is_empty() => Err(Error::new(ErrorKind::UnexpectedEof, "the server closed")),
            None => Err(broken(&String::from_utf8_lossy(&line))),
        }
    }

    fn bytes(&mut self, length: i64) -> Result<Vec<u8>> {
        let length = usize::try_from(length).map_err(|_| broken("a negative length"))?;
        let mut bytes = vec![0; length + 2];
        self.reader.read_exact(&mut bytes)?;
        if bytes.split_off(length) != b"\r\n" {
            return Err(broken("a bulk string without its end"));
        }
        Ok(bytes)
    }
}

/// A command as an array of bulk strings.
pub fn frame<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Bytes as a person can read and copy them: `"` where needed and escapes as redis-cli takes them.
pub fn quoted(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let escaped: String = bytes
        .iter()
        .map(|&byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            b'\r' => "\\r".to_owned(),
            b'\n' => "\\n".to_owned(),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// One line, types told apart: `"x"` a bulk string, `+OK`, `-ERR ...`, `(3)`, `{...}` a map.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(text) => write!(f, "+{text}"),
            Self::Error(text) => write!(f, "-{text}"),
            Self::Integer(number) => write!(f, "({number})"),
            Self::Bulk(bytes) => write!(f, "\"{}\"", quoted(bytes).trim_matches('"')),
            Self::NoBulk => f.write_str("$-1"),
            Self::NoArray => f.write_str("*-1"),
            Self::Null => f.write_str("_"),
            Self::Array(items) => list(f, "[", items, "]"),
            Self::Set(items) => list(f, "~{", items, "}"),
            Self::Push(items) => list(f, ">[", items, "]"),
            Self::Map(pairs) => {
                f.write_str("{")?;
                for (at, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Double(text) => write!(f, ",{text}"),
            Self::Boolean(yes) => write!(f, "#{yes}"),
            Self::BigNumber(text) => write!(f, "({text}"),
            Self::Verbatim(bytes) => write!(f, "={}", quoted(bytes)),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, open: &str, items: &[Reply], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (at, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
    }
    f.write_str(close)
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| broken(text))
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("no RESP: {what}"))
}
