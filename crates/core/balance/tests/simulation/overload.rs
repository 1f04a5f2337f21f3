//! Admission with the adaptive limit, before a service whose capacity is known.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use ringway_balance::admission::{Admission, Answer, Config, Ticket, Turn};
use ringway_balance::concurrency_limit::Served;
use ringway_balance::draws::Draws;

use crate::server::{Server, percentile, until_next};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Comes,
    /// It came, and was let go, then.
    Done {
        came: Duration,
        began: Duration,
    },
}

/// Who asks: as many a second whatever happens, or so many clients that each wait for their answer.
#[derive(Clone, Copy)]
enum Clients {
    Open { per_second: f64 },
    Closed { count: usize },
}

struct World {
    admission: Admission,
    server: Server,
    clients: Clients,
    draws: Draws,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    number: u64,
    waiting: BTreeMap<u64, (Ticket, Duration)>,
    /// Of the present phase: how long each answer took in all, and in the service.
    took: Vec<Duration>,
    served_in: Vec<Duration>,
    shed: u64,
}

impl World {
    fn new(server: Server, clients: Clients) -> Self {
        let mut world = Self {
            admission: Admission::new(Config::default()),
            server,
            clients,
            draws: Draws::new(11),
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            number: 0,
            waiting: BTreeMap::new(),
            took: Vec::new(),
            served_in: Vec::new(),
            shed: 0,
        };
        let first = if let Clients::Closed { count } = clients { count } else { 1 };
        (0..first).for_each(|_| world.push(Duration::ZERO, Event::Comes));
        world
    }

    /// So long; answers a second.
    fn run(&mut self, seconds: u64) -> f64 {
        let until = self.now + Duration::from_secs(seconds);
        (self.shed, self.took, self.served_in) = (0, Vec::new(), Vec::new());
        while let Some(Reverse((at, number, event))) = self.events.pop() {
            if at > until {
                self.events.push(Reverse((at, number, event)));
                break;
            }
            self.now = at;
            match event {
                Event::Comes => self.comes(),
                Event::Done { came, began } => self.done(came, began),
            }
            self.turns();
        }
        self.took.len() as f64 / seconds as f64
    }

    fn comes(&mut self) {
        if let Clients::Open { per_second } = self.clients {
            let next = self.now + until_next(per_second, &mut self.draws);
            self.push(next, Event::Comes);
        }
        match self.admission.ask(self.now, self.draws.number()) {
            Answer::Go => self.go(self.now),
            Answer::Wait(ticket) => {
                self.number += 1;
                self.waiting.insert(self.number, (ticket, self.now));
            }
            Answer::Shed { retry_after } => self.shed(retry_after),
        }
    }

    fn turns(&mut self) {
        while let Some(turn) = self.admission.turn(self.now, 0) {
            let (_, (ticket, came)) = self.waiting.pop_first().expect("it waits");
            match turn {
                Turn::Go(next) => {
                    assert_eq!(next, ticket, "first come, first served");
                    self.go(came);
                }
                Turn::Shed { retry_after, .. } => self.shed(retry_after),
            }
        }
    }

    fn go(&mut self, came: Duration) {
        let done = self.server.serve(self.now, 1.0, &mut self.draws);
        self.push(done, Event::Done { came, began: self.now });
    }

    fn done(&mut self, came: Duration, began: Duration) {
        self.admission.done(self.now, self.now - began, Served::Well);
        self.took.push(self.now - came);
        self.served_in.push(self.now - began);
        if let Clients::Closed { .. } = self.clients {
            self.push(self.now, Event::Comes);
        }
    }

    fn shed(&mut self, retry_after: Duration) {
        self.shed += 1;
        if let Clients::Closed { .. } = self.clients {
            self.push(self.now + retry_after, Event::Comes);
        }
    }

    fn push(&mut self, at: Duration, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }

    fn p99(&mut self) -> [Duration; 2] {
        [percentile(&mut self.served_in, 0.99), percentile(&mut self.took, 0.99)]
    }
}

/// 20 workers, 20 ms each: 1,000 a second.
fn server() -> Server {
    Server::new(20, Duration::from_millis(20))
}

#[track_caller]
fn check(world: &mut World, what: &str, seconds: u64, rate_min: f64, served_max: u64, took_max: u64) {
    let rate = world.run(seconds);
    let [served, took] = world.p99();
    let limit = world.admission.limit().limit();
    let base = world.admission.limit().base();
    let figures = format!("{what}: {rate} a second, p99 {served:?} of {took:?}, limit {limit}, base {base:?}");
    println!("{figures}, shed {}", world.shed);
    assert!(rate >= rate_min, "{figures}");
    assert!(served <= Duration::from_millis(served_max), "{figures}");
    assert!(took <= Duration::from_millis(took_max), "{figures}");
}

#[test]
fn twice_and_ten_times_what_it_can_do_leaves_throughput_at_capacity_and_latency_bounded() {
    for times in [2.0, 10.0] {
        let mut world = World::new(server(), Clients::Open { per_second: 1_000.0 * times });
        world.run(5);
        for minute in ["first", "second", "third"] {
            check(&mut world, minute, 60, 950.0, 100, 250);
        }
    }
}

#[test]
fn clients_that_wait_for_their_answers_get_them_at_capacity() {
    let mut world = World::new(server(), Clients::Closed { count: 300 });
    world.run(5);
    check(&mut world, "300 clients", 60, 950.0, 100, 250);
}

#[test]
fn below_capacity_nobody_is_turned_away() {
    let mut world = World::new(server(), Clients::Open { per_second: 700.0 });
    world.run(60);
    assert_eq!(world.shed, 0);
    check(&mut world, "calm", 60, 690.0, 120, 130);
    assert_eq!(world.shed, 0);
}

#[test]
fn a_service_that_gets_five_times_slower_and_fast_again_is_followed_both_ways() {
    let mut world = World::new(server(), Clients::Open { per_second: 1_500.0 });
    world.run(20);
    check(&mut world, "before", 30, 950.0, 100, 250);
    world.server.service_time = Duration::from_millis(100);
    world.run(10);
    check(&mut world, "five times slower", 60, 180.0, 500, 1_000);
    world.server.service_time = Duration::from_millis(20);
    world.run(10);
    check(&mut world, "fast again", 60, 950.0, 100, 250);
}

#[test]
fn a_service_with_one_worker_is_not_buried() {
    let mut world = World::new(Server::new(1, Duration::from_millis(5)), Clients::Open { per_second: 400.0 });
    world.run(20);
    check(&mut world, "one worker", 120, 185.0, 80, 250);
}
