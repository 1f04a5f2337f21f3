//! Core: the replies of one command's keys, made into one.

use bytes::{BufMut, Bytes, BytesMut};
use ringway_protocol::resp::number::parse_int;

use crate::command::Gather;
use crate::fail::Fail;

/// One key that failed makes the whole command fail, with the first such key's reason.
pub(super) fn gather(how: Gather, replies: &[Bytes]) -> Bytes {
    if let Some(error) = replies.iter().find(|reply| reply.starts_with(b"-")) {
        return error.clone();
    }
    match how {
        Gather::Ok => Bytes::from_static(b"+OK\r\n"),
        Gather::Sum => {
            let sum: Option<i64> = replies.iter().map(|reply| int(reply)).sum();
            sum.map_or_else(|| odd(replies), |sum| Bytes::from(format!(":{sum}\r\n")))
        }
        Gather::List => {
            let mut list = BytesMut::with_capacity(replies.iter().map(Bytes::len).sum::<usize>() + 16);
            list.put_slice(format!("*{}\r\n", replies.len()).as_bytes());
            for reply in replies {
                match reply.strip_prefix(b"*1\r\n") {
                    Some(item) => list.put_slice(item),
                    None => return odd(replies),
                }
            }
            list.freeze()
        }
    }
}

fn int(reply: &[u8]) -> Option<i64> {
    parse_int(reply.strip_prefix(b":")?.strip_suffix(b"\r\n")?)
}

fn odd(replies: &[Bytes]) -> Bytes {
    Fail::of(format!("ERR {} nodes gave replies that do not fit together", replies.len())).reply()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(how: Gather, replies: &[&'static str], expected: &str) {
        let replies: Vec<Bytes> = replies.iter().map(|reply| Bytes::from(*reply)).collect();
        assert_eq!(gather(how, &replies), expected);
    }

    #[test]
    fn replies_of_several_keys_become_one() {
        check(Gather::Sum, &[":1\r\n", ":0\r\n", ":2\r\n"], ":3\r\n");
        check(Gather::Ok, &["+OK\r\n", "+OK\r\n"], "+OK\r\n");
        check(Gather::List, &["*1\r\n$1\r\na\r\n", "*1\r\n$-1\r\n"], "*2\r\n$1\r\na\r\n$-1\r\n");
        check(Gather::List, &["*1\r\n$1\r\na\r\n", "-CLUSTERDOWN no\r\n"], "-CLUSTERDOWN no\r\n");
        check(Gather::Sum, &[":1\r\n", "-OOM full\r\n", "-ERR x\r\n"], "-OOM full\r\n");
    }
}
