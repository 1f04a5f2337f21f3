//! Core: our own timings. The library's for a LAN take six to twelve seconds to notice a dead node.
//!
//! A dead node is probed within a period times the number of nodes at worst and two periods on average, is suspect when the
//! period ends without an answer, and down [`SUSPECT_TO_DOWN`] later: about two seconds with three nodes. Most deaths are noticed
//! faster, by a refused connection. A probe costs two small messages: at this period a node of any cluster spends well under 0.1 %
//! of a core on it.

use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

use foca::{Config, PeriodicParams};

pub const PROBE_PERIOD: Duration = Duration::from_millis(500);
/// Before others are asked to probe. They answer within the rest of the period.
const PROBE_RTT: Duration = Duration::from_millis(200);
const INDIRECT_PROBES: usize = 3;
/// Long enough for a stalled node (a garbage collection, a busy disk) to object.
pub const SUSPECT_TO_DOWN: Duration = Duration::from_secs(1);
/// A member that is not there is greeted again so often, in case it is back and nobody knows.
pub const GREET_EVERY: Duration = Duration::from_secs(2);
/// The whole list goes to one node so often, for news that got lost.
const ANNOUNCE: Duration = Duration::from_secs(30);
/// A dead node's identity is remembered for this long; a restarted one has a new identity.
const FORGET_DOWN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Not a datagram: room for news about many nodes in one message.
const MESSAGE_MAX: usize = 16 << 10;

pub fn config() -> Config {
    let every = |frequency, num_members| Some(PeriodicParams { frequency, num_members: count(num_members) });
    Config {
        probe_period: PROBE_PERIOD,
        probe_rtt: PROBE_RTT,
        num_indirect_probes: count(INDIRECT_PROBES),
        max_transmissions: NonZeroU8::new(10).expect("not zero"),
        suspect_to_down_after: SUSPECT_TO_DOWN,
        remove_down_after: Some(FORGET_DOWN_AFTER),
        max_packet_size: count(MESSAGE_MAX),
        notify_down_members: true,
        periodic_announce: every(ANNOUNCE, 1),
        periodic_announce_to_down_members: None,
        // Probes carry news too, and connections do not lose it: a separate round once a period is enough.
        periodic_gossip: every(PROBE_PERIOD, 3),
    }
}

fn count(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("not zero")
}
