//! Driver: asks a Redis Cluster (or a Ringway ring) which node has which keys. A client of one cluster whose slots stay where they are.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context as _, Result, bail, ensure};
use ringway_ring::{SLOT_COUNT, Slot};

const LEN_MAX: usize = 1 << 16;

/// Who has which slot: addresses, and for each slot the place of its master among them.
pub struct Slots {
    pub masters: Vec<SocketAddr>,
    owners: Vec<Option<usize>>,
}

enum Reply {
    Text(String),
    Number(i64),
    Array(Vec<Reply>),
}

impl Slots {
    pub fn ask(mut stream: TcpStream) -> Result<Self> {
        stream.write_all(b"*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n")?;
        Self::from_reply(&read(&mut BufReader::new(stream), 0).context("reading the answer to CLUSTER SLOTS")?)
    }

    pub fn owner(&self, slot: Slot) -> Option<usize> {
        self.owners[usize::from(slot.0)]
    }

    fn from_reply(reply: &Reply) -> Result<Self> {
        let mut slots = Self { masters: Vec::new(), owners: vec![None; SLOT_COUNT] };
        for range in reply.array()? {
            let [first, last, master, ..] = range.array()? else { bail!("a range of slots without a master") };
            let [host, port, ..] = master.array()? else { bail!("a master without an address") };
            let address = format!("{}:{}", host.text()?, port.number()?).parse()?;
            let place = slots.masters.iter().position(|known| *known == address).unwrap_or_else(|| {
                slots.masters.push(address);
                slots.masters.len() - 1
            });
            let range = usize::try_from(first.number()?)?..=usize::try_from(last.number()?)?;
            slots.owners.get_mut(range).context("slots beyond the last")?.fill(Some(place));
        }
        ensure!(slots.owners.iter().all(Option::is_some), "some slots have no master");
        Ok(slots)
    }
}

impl Reply {
    fn text(&self) -> Result<&str> {
        if let Self::Text(text) = self { Ok(text) } else { bail!("text was awaited in CLUSTER SLOTS") }
    }

    fn number(&self) -> Result<i64> {
        if let Self::Number(number) = self { Ok(*number) } else { bail!("a number was awaited in CLUSTER SLOTS") }
    }

    fn array(&self) -> Result<&[Self]> {
        if let Self::Array(array) = self { Ok(array) } else { bail!("an array was awaited in CLUSTER SLOTS") }
    }
}

fn read(bytes: &mut BufReader<impl std::io::Read>, depth: u32) -> Result<Reply> {
    let mut line = String::new();
    bytes.by_ref().take(LEN_MAX as u64).read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").context("the server closed the connection")?;
    let (kind, rest) = line.split_at_checked(1).context("an empty line")?;
    let len =
        || rest.parse::<usize>().ok().filter(|len| *len <= LEN_MAX).with_context(|| format!("a length of {rest}"));
    Ok(match kind {
        "$" if rest == "-1" => Reply::Text(String::new()),
        "$" => {
            let mut text = vec![0; len()? + 2];
            bytes.read_exact(&mut text)?;
            Reply::Text(String::from_utf8_lossy(&text[..text.len() - 2]).into_owned())
        }
        ":" => Reply::Number(rest.parse()?),
        "*" if depth < 8 => Reply::Array((0..len()?).map(|_| read(bytes, depth + 1)).collect::<Result<_>>()?),
        _ => bail!("the server answered {line}"),
    })
}

#[cfg(test)]
mod tests;
