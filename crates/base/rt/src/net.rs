//! Driver: sockets, with the settings that all of ours have and errors that say what to do.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::TcpStream;

const BACKLOG: i32 = 1024;

/// Why a listener could not be had.
#[derive(Debug, Error)]
pub enum ListenError {
    #[error(
        "{what} cannot listen on {address}: another process uses it; stop that one or choose another address with {option}"
    )]
    InUse { what: &'static str, address: SocketAddr, option: &'static str },
    #[error("{what} cannot listen on {address}: not allowed; ports below 1024 need root: choose another with {option}")]
    Forbidden { what: &'static str, address: SocketAddr, option: &'static str },
    #[error("{what} cannot listen on {address}: {source}; choose another address with {option}")]
    Other { what: &'static str, address: SocketAddr, option: &'static str, source: io::Error },
}

/// A listener for `what` (as a person would call it); `option` is the flag that changes its address. Non-blocking.
/// With `shared`, several listeners of this process may have the address and the kernel spreads connections over them: bind
/// one without first, to find out that nobody else has it.
pub fn listen(
    what: &'static str,
    address: SocketAddr,
    option: &'static str,
    shared: bool,
) -> Result<std::net::TcpListener, ListenError> {
    open(address, shared).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { what, address, option },
        io::ErrorKind::PermissionDenied => ListenError::Forbidden { what, address, option },
        _ => ListenError::Other { what, address, option, source },
    })
}

fn open(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.cloexec().nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connects within `deadline`, with Nagle's algorithm off.
pub async fn connect(address: SocketAddr, deadline: Duration) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(deadline, TcpStream::connect(address)).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("no connection to {address} within {deadline:?}"))
    })??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_option_that_changes_it() {
        let first = listen("the front end", "127.0.0.1:0".parse().unwrap(), "--http", false).unwrap();
        let address = first.local_addr().unwrap();
        let error = listen("the front end", address, "--http", false).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "the front end cannot listen on {address}: another process uses it; stop that one or choose another address with --http"
            )
        );
    }

    #[test]
    fn shared_listeners_have_one_address() {
        let first = listen("the front end", "127.0.0.1:0".parse().unwrap(), "--http", true).unwrap();
        let address = first.local_addr().unwrap();
        let second = listen("the front end", address, "--http", true).unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
    }
}
