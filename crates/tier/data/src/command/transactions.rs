//! Core: MULTI and its relatives; the session keeps what is between MULTI and EXEC.

use super::{Group, KeyPlaces, NO_MULTI, NO_SCRIPT, Run, SessionKind, Spec, spec};

const G: Group = Group::Transactions;
const NONE: KeyPlaces = KeyPlaces::None;

pub(super) const SPECS: &[Spec] = &[
    spec("discard", 1, NO_SCRIPT, NONE, G, "forgets what was queued", Run::Session(SessionKind::Discard)),
    spec("exec", 1, NO_SCRIPT, NONE, G, "runs what was queued as one", Run::Session(SessionKind::Exec)),
    spec("multi", 1, NO_SCRIPT | NO_MULTI, NONE, G, "queues what follows", Run::Session(SessionKind::Multi)),
    spec("unwatch", 1, NO_SCRIPT, NONE, G, "watches nothing any more", Run::Session(SessionKind::Unwatch)),
    spec(
        "watch",
        -2,
        NO_SCRIPT | NO_MULTI,
        KeyPlaces::Range { first: 1, last: -1, step: 1 },
        G,
        "EXEC runs only if these keys are as they are now",
        Run::Session(SessionKind::Watch),
    ),
];
