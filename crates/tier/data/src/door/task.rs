//! Driver: a client that is a task of its own, because it has just come, or has asked for more than the lobby answers.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::DataTier;
use crate::door::client::Client;
use crate::door::lobby::Lobby;

pub(super) trait Connection {
    /// Runs all complete commands and sends the replies; false if that was the last of this connection.
    async fn drain(&mut self, tier: &Arc<DataTier>) -> io::Result<bool>;

    /// Reads more; false at the end.
    async fn fill(&mut self, tier: &DataTier) -> io::Result<bool>;

    /// Whether the lobby can answer what it will say next, as far as can be told.
    fn may_enter(&mut self, tier: &DataTier) -> bool;

    /// All that it had said is answered.
    fn note_calm(&mut self);

    fn into_client(self) -> (TcpStream, Client);
}

/// Returns when the client has gone, was cut, or the tier stops, or when it goes (back) to the lobby.
pub(super) async fn serve(tier: &Arc<DataTier>, lobby: &Lobby, mut connection: impl Connection) -> io::Result<()> {
    let mut is_open = Box::pin(connection.drain(tier)).await?;
    while is_open {
        if connection.may_enter(tier) {
            let (stream, client) = connection.into_client();
            return lobby.enter(stream.into_std()?, client);
        }
        if !connection.fill(tier).await? {
            break;
        }
        // Large, and only needed while there is something to do: an idle client's task stays small.
        is_open = Box::pin(connection.drain(tier)).await?;
        connection.note_calm();
    }
    Ok(())
}
