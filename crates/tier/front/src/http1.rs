//! HTTP/1.1 with clients: own code from the first byte to the last, so that a connection that waits costs next to nothing and an
//! answer that is at hand costs one read and one write.
//!
//! [`connection`] is the driver, one future a connection. [`thread_scratch`] is what all connections of a thread share while one of
//! them is being polled. [`upload`] hands a request's body to whoever answers it. [`roll`] keeps time for all.

mod connection;
mod hot_answers;
mod reading;
mod response;
mod roll;
mod thread_scratch;
mod tunnel;
mod upload;

pub use connection::serve;
pub use roll::{Alarm, Roll};
pub use thread_scratch::{Scratch, with_scratch, write_hex};
pub use tunnel::{Tunnel, TunnelSlot, run as run_tunnel};
