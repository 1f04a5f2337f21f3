//! Driver: is an instance of a service well? One HTTP request, or one connection if the manifest names no path.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CHECK_MAX: Duration = Duration::from_secs(5);
/// `HTTP/1.1 200`
const STATUS_LEN: usize = 12;

/// `Err` says what is wrong, for people.
pub async fn check(address: SocketAddr, path: Option<String>) -> Result<(), String> {
    let checked = tokio::time::timeout(CHECK_MAX, check_once(address, path.as_deref())).await;
    checked.unwrap_or_else(|_| Err(format!("no answer within {CHECK_MAX:?}")))
}

async fn check_once(address: SocketAddr, path: Option<&str>) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| format!("port {}: {error}", address.port()))?;
    // While nobody listens, the kernel may choose the very port we call as our own, and connect us with ourselves.
    if stream.local_addr().ok() == stream.peer_addr().ok() {
        return Err(format!("port {}: nobody listens", address.port()));
    }
    let Some(path) = path else { return Ok(()) };
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: ringway-health\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| format!("{path}: {error}"))?;
    let mut status = [0; STATUS_LEN];
    stream.read_exact(&mut status).await.map_err(|error| format!("{path}: {error}"))?;
    let status = String::from_utf8_lossy(&status).into_owned();
    match status.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)).and_then(|code| code.parse::<u16>().ok()) {
        Some(200..=399) => Ok(()),
        Some(code) => Err(format!("{path} answered with status {code}")),
        None => Err(format!("{path} answered with something else than HTTP: {status:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A server that says this to whoever comes.
    async fn answering(text: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 500];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        address
    }

    async fn verdict(text: &'static str) -> Result<(), String> {
        check(answering(text).await, Some("/up".to_owned())).await
    }

    #[tokio::test]
    async fn two_and_three_hundred_are_well_and_everything_else_is_not() {
        assert_eq!(verdict("HTTP/1.1 200 OK\r\n\r\n").await, Ok(()));
        assert_eq!(verdict("HTTP/1.0 302 Found\r\n\r\n").await, Ok(()));
        assert_eq!(verdict("HTTP/1.1 503 Busy\r\n\r\n").await, Err("/up answered with status 503".to_owned()));
        assert!(verdict("220 mail.example.org ESMTP\r\n").await.unwrap_err().contains("something else than HTTP"));
        assert!(verdict("HTTP").await.is_err());
    }

    #[tokio::test]
    async fn without_a_path_a_connection_is_enough() {
        assert_eq!(check(answering("").await, None).await, Ok(()));
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(check(closed, None).await.unwrap_err().contains("refused"));
    }
}
