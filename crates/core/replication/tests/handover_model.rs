//! A partition changes hands while a counter is incremented, in every order in which messages may arrive.
//!
//! Three nodes, one key. First `A` and `C` answer, then `B` is to come, then `B` and `C` answer and `A` is out: epochs. Nodes
//! hear of them at any time, messages arrive in any order, the newcomer may die once and lose everything, which is an epoch of its
//! own. The rules are those of the data tier (`transfer.rs`, `handover.rs` there): apply before looking up whom to send to; merge
//! before looking whether the sender is behind; copy from who knows the epoch; a restart begins a new one; ask to yield before
//! executing. With all of them no increment that a client was told of is ever missing where the next one is executed; without any
//! single one the checker finds how one gets lost, which shows that it looks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use stateright::{Checker, HasDiscoveries, Model, Property};

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;
const OPS: usize = 2;

/// Which rule is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// Whom to send to is looked up before the write is in the own store.
    LooksBeforeApplying,
    /// A replica looks whether the sender is behind before it has merged.
    LooksBeforeMerging,
    /// A replica takes everything.
    NeverRefuses,
    /// The newcomer copies from a source that may not have heard of it.
    CopiesFromAnyone,
    /// A newcomer that has lost everything goes on in the same epoch.
    RestartsUnnoticed,
    /// The newcomer executes as soon as the ring says so.
    DoesNotAskToYield,
}

/// Bits of increments, and the version that decides between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Cell {
    version: (u8, u8),
    bits: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Op {
    Waiting,
    /// Counted as running; `epoch`: looked up too early, if that rule is left out.
    Begun {
        at: usize,
        epoch: u8,
    },
    Applied {
        at: usize,
        epoch: u8,
        cell: Cell,
    },
    Sent {
        at: usize,
        cell: Cell,
        left: u8,
    },
    /// Somebody knows this epoch: to be sent again when `at` does.
    Stale {
        at: usize,
        cell: Cell,
        epoch: u8,
    },
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Message {
    Replicate {
        op: usize,
        to: usize,
        epoch: u8,
        cell: Cell,
    },
    /// Merged, not looked yet. The answer is heard when it is looked: sooner is worse than later.
    Merged {
        op: usize,
        by: usize,
        epoch: u8,
    },
    Copied {
        life: u8,
        cell: Cell,
    },
    Yield,
    Yielded,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    agreed: u8,
    /// Of each epoch up to `agreed`.
    kinds: [Kind; 4],
    known: [u8; 3],
    store: [Cell; 3],
    ops: [Op; OPS],
    /// Sorted; no message is there twice.
    messages: Vec<Message>,
    has_yielded: bool,
    has_asked: bool,
    may_execute: bool,
    /// Of the newcomer; its second life has an empty store.
    life: u8,
    /// The epoch from which on a copy is good for something.
    copies_since: u8,
    has_copied: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Before,
    Moving,
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Agree,
    Hear(usize),
    Begin(usize, usize),
    Apply(usize),
    Send(usize),
    Deliver(Message),
    Copy(usize),
    Ask,
    Crash,
}

struct Handover(Broken);

fn writers(kind: Kind) -> &'static [usize] {
    match kind {
        Kind::Before => &[A, C],
        Kind::Moving => &[A, B, C],
        Kind::After => &[B, C],
    }
}

impl State {
    fn kind(&self, epoch: u8) -> Kind {
        self.kinds[usize::from(epoch)]
    }

    fn agree(&mut self, kind: Kind) {
        self.agreed += 1;
        self.kinds[usize::from(self.agreed)] = kind;
    }

    fn may_begin(&self, node: usize) -> bool {
        let kind = self.kind(self.known[node]);
        match node {
            A => kind != Kind::After && !self.has_yielded,
            B => kind == Kind::After && self.may_execute,
            _ => false,
        }
    }

    fn is_running_at(&self, node: usize) -> bool {
        self.ops.iter().any(|op| match op {
            Op::Begun { at, .. } | Op::Applied { at, .. } | Op::Sent { at, .. } | Op::Stale { at, .. } => *at == node,
            Op::Waiting | Op::Done => false,
        })
    }

    fn merge(&mut self, node: usize, cell: Cell) {
        self.store[node] = self.store[node].max(cell);
    }

    fn tell(&mut self, message: Message) {
        if let Err(place) = self.messages.binary_search(&message) {
            self.messages.insert(place, message);
        }
    }

    fn take(&mut self, message: Message) {
        self.messages.retain(|other| *other != message);
    }

    /// Sends to all writers of the epoch but the sender.
    fn send(&mut self, op: usize, at: usize, cell: Cell, epoch: u8) {
        let targets = writers(self.kind(epoch)).iter().copied().filter(|node| *node != at);
        let mut left = 0;
        for to in targets {
            left |= 1 << to;
            self.tell(Message::Replicate { op, to, epoch, cell });
        }
        self.ops[op] = Op::Sent { at, cell, left };
    }

    fn hear_answer(&mut self, op: usize, by: usize, newer: Option<u8>) {
        let Op::Sent { at, cell, left } = self.ops[op] else { return };
        let left = left & !(1 << by);
        self.ops[op] = match newer {
            Some(epoch) => Op::Stale { at, cell, epoch },
            None if left == 0 => Op::Done,
            None => Op::Sent { at, cell, left },
        };
    }
}

impl Handover {
    fn deliver(&self, state: &mut State, message: Message) {
        let answer = |state: &State, by: usize, epoch: u8| {
            let known = state.known[by];
            (known > epoch && self.0 != Broken::NeverRefuses).then_some(known)
        };
        match message {
            Message::Replicate { op, to, epoch, cell } if self.0 == Broken::LooksBeforeMerging => {
                // The answer is decided now, the cell arrives in the store later.
                let newer = answer(state, to, epoch);
                match newer {
                    Some(_) => {
                        state.merge(to, cell);
                        state.hear_answer(op, to, newer);
                    }
                    None => state.tell(Message::Merged { op, by: to, epoch }),
                }
            }
            Message::Replicate { op, to, epoch, cell } => {
                state.merge(to, cell);
                state.tell(Message::Merged { op, by: to, epoch });
            }
            Message::Merged { op, by, .. } if self.0 == Broken::LooksBeforeMerging => {
                if let Op::Sent { cell, .. } | Op::Stale { cell, .. } = state.ops[op] {
                    state.merge(by, cell);
                }
                state.hear_answer(op, by, None);
            }
            Message::Merged { op, by, epoch } => {
                let newer = answer(state, by, epoch);
                state.hear_answer(op, by, newer);
            }
            Message::Copied { life, cell } => {
                if life == state.life {
                    state.merge(B, cell);
                    state.has_copied = true;
                }
            }
            Message::Yield => {
                state.has_yielded = true;
                state.tell(Message::Yielded);
            }
            Message::Yielded => state.may_execute = true,
        }
    }
}

impl Model for Handover {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            agreed: 0,
            kinds: [Kind::Before; 4],
            known: [0; 3],
            store: [Cell::default(); 3],
            ops: [Op::Waiting; OPS],
            messages: Vec::new(),
            has_yielded: false,
            has_asked: false,
            may_execute: self.0 == Broken::DoesNotAskToYield,
            life: 0,
            copies_since: 1,
            has_copied: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // The next row may be planned at any time; it may answer when its newcomer has said that it is ready.
        let kind = state.kind(state.agreed);
        if kind == Kind::Before || (kind == Kind::Moving && state.has_copied) {
            actions.push(Action::Agree);
        }
        actions.extend((A..=C).filter(|node| state.known[*node] < state.agreed).map(Action::Hear));
        for (op, now) in state.ops.iter().enumerate() {
            match now {
                // Which of them is first makes no difference.
                Op::Waiting if op == 0 || state.ops[op - 1] != Op::Waiting => {
                    actions.extend([A, B].into_iter().filter(|n| state.may_begin(*n)).map(|n| Action::Begin(op, n)));
                }
                Op::Begun { .. } => actions.push(Action::Apply(op)),
                Op::Applied { .. } => actions.push(Action::Send(op)),
                Op::Stale { at, epoch, .. } if state.known[*at] >= *epoch => actions.push(Action::Send(op)),
                _ => {}
            }
        }
        let is_running = state.is_running_at(A);
        // Who was asked to yield refuses at once, and says so when nothing is running any more.
        let may_arrive = |message: &Message| !(*message == Message::Yielded && is_running);
        actions.extend(state.messages.iter().copied().filter(may_arrive).map(Action::Deliver));
        let is_asked =
            state.messages.iter().any(|message| matches!(message, Message::Copied { life, .. } if *life == state.life));
        if state.known[B] >= state.copies_since && !state.has_copied && !is_asked {
            let knows =
                |source: &usize| state.known[*source] >= state.copies_since || self.0 == Broken::CopiesFromAnyone;
            actions.extend([A, C].into_iter().filter(knows).map(Action::Copy));
        }
        if state.kind(state.known[B]) == Kind::After && !state.has_asked && !state.may_execute {
            actions.push(Action::Ask);
        }
        if kind == Kind::Moving && state.life == 0 {
            actions.push(Action::Crash);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Agree => {
                let is_first = state.kind(state.agreed) == Kind::Before;
                state.agree(if is_first { Kind::Moving } else { Kind::After });
            }
            Action::Hear(node) => state.known[node] += 1,
            Action::Begin(op, at) => state.ops[op] = Op::Begun { at, epoch: state.known[at] },
            Action::Apply(op) => {
                let Op::Begun { at, epoch } = state.ops[op] else { return None };
                let before = state.store[at];
                let version = (before.version.0 + 1, at as u8);
                let cell = Cell { version, bits: before.bits | 1 << op };
                state.store[at] = cell;
                state.ops[op] = Op::Applied { at, epoch, cell };
            }
            Action::Send(op) => match state.ops[op] {
                Op::Applied { at, epoch, cell } => {
                    let early = self.0 == Broken::LooksBeforeApplying;
                    // Looked up early is also said to be as old as it is; the others would refuse it else.
                    let epoch = if early { epoch } else { state.known[at] };
                    state.send(op, at, cell, epoch);
                    if early {
                        let as_if_new = state.known[at];
                        for message in &mut state.messages {
                            if let Message::Replicate { op: of, epoch, .. } = message
                                && *of == op
                            {
                                *epoch = as_if_new;
                            }
                        }
                        state.messages.sort();
                    }
                }
                Op::Stale { at, cell, .. } => {
                    let is_of = |message: &Message| match message {
                        Message::Replicate { op: of, .. } | Message::Merged { op: of, .. } => *of == op,
                        _ => false,
                    };
                    // Of the first round nothing is waited for any more; its cells may still arrive.
                    let late: Vec<Message> = state.messages.iter().copied().filter(is_of).collect();
                    for message in late {
                        state.take(message);
                        if let Message::Replicate { to, cell, .. } = message {
                            state.merge(to, cell);
                        }
                    }
                    let epoch = state.known[at];
                    state.send(op, at, cell, epoch);
                }
                _ => return None,
            },
            Action::Deliver(message) => {
                state.take(message);
                self.deliver(&mut state, message);
            }
            Action::Copy(source) => {
                let (life, cell) = (state.life, state.store[source]);
                state.tell(Message::Copied { life, cell });
            }
            Action::Ask => {
                state.has_asked = true;
                state.tell(Message::Yield);
            }
            Action::Crash => {
                // It takes back what it said.
                state.life = 1;
                if self.0 != Broken::RestartsUnnoticed {
                    state.agree(Kind::Moving);
                    state.copies_since = state.agreed;
                }
                state.store[B] = Cell::default();
                state.has_copied = false;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("whoever executes has every increment that a client was told of", |_, state: &State| {
                let done = state.ops.iter().enumerate().filter(|(_, op)| **op == Op::Done);
                let told = done.fold(0, |bits, (op, _)| bits | 1 << op);
                [A, B].into_iter().filter(|n| state.may_begin(*n)).all(|n| state.store[n].bits & told == told)
            }),
            Property::always("only one node executes", |_, state: &State| {
                !(state.may_begin(A) && state.may_begin(B) || state.is_running_at(A) && state.is_running_at(B))
            }),
            Property::sometimes("one increment before the handover and one after it", |_, state: &State| {
                let told = state.ops.iter().all(|op| *op == Op::Done);
                told && state.kind(state.agreed) == Kind::After
                    && state.life == 1
                    && state.store[B].bits == 0b11
                    && state.store[A].bits != 0b11
            }),
        ]
    }
}

const LOST: &str = "whoever executes has every increment that a client was told of";
const TWO: &str = "only one node executes";

#[test]
fn no_increment_is_lost_in_any_order_of_messages() {
    let checker = Handover(Broken::Nothing).checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    println!("{} states", checker.unique_state_count());
    assert!(checker.unique_state_count() > 10_000, "{}", checker.unique_state_count());
}

#[test]
fn without_any_of_the_rules_the_checker_finds_how_one_is_lost() {
    for broken in [
        Broken::LooksBeforeApplying,
        Broken::LooksBeforeMerging,
        Broken::NeverRefuses,
        Broken::CopiesFromAnyone,
        Broken::RestartsUnnoticed,
        Broken::DoesNotAskToYield,
    ] {
        let checker = Handover(broken).checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let found = checker.discovery(LOST).or_else(|| checker.discovery(TWO));
        assert!(found.is_some(), "{broken:?} does no harm in {} states", checker.unique_state_count());
    }
}
