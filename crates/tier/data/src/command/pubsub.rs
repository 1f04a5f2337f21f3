//! Core: the commands of who says something and who listens.

use super::{Group, KeyPlaces, NO_MULTI, NO_SCRIPT, Run, SHORT, SessionKind, Spec, spec};
use crate::pubsub::Names;

const G: Group = Group::PubSub;
const NONE: KeyPlaces = KeyPlaces::None;
const HOW: u16 = NO_SCRIPT | NO_MULTI;

const fn listen(names: Names, begins: bool) -> Run {
    Run::Session(SessionKind::Listen { names, begins })
}

pub(super) const SPECS: &[Spec] = &[
    spec("psubscribe", -2, HOW, NONE, G, "listens to all channels that fit a pattern", listen(Names::Patterns, true)),
    spec(
        "publish",
        3,
        SHORT,
        NONE,
        G,
        "says something in a channel",
        Run::Session(SessionKind::Publish { is_sharded: false }),
    ),
    spec("pubsub", -2, NO_SCRIPT, NONE, G, "says who listens to what", Run::Session(SessionKind::PubSub)),
    spec("punsubscribe", -1, HOW, NONE, G, "ends PSUBSCRIBE", listen(Names::Patterns, false)),
    spec(
        "spublish",
        3,
        SHORT,
        NONE,
        G,
        "says something in a shard channel",
        Run::Session(SessionKind::Publish { is_sharded: true }),
    ),
    spec("ssubscribe", -2, HOW, NONE, G, "listens to shard channels", listen(Names::Shards, true)),
    spec("subscribe", -2, HOW, NONE, G, "listens to channels", listen(Names::Channels, true)),
    spec("sunsubscribe", -1, HOW, NONE, G, "ends SSUBSCRIBE", listen(Names::Shards, false)),
    spec("unsubscribe", -1, HOW, NONE, G, "ends SUBSCRIBE", listen(Names::Channels, false)),
];
