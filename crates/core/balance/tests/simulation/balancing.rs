//! Five endpoints, of which one is slow, one fails, one comes late; clients that come at random; retries within a budget.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use ringway_balance::draws::Draws;
use ringway_balance::endpoints::{self, Ask, Endpoints, Strategy};
use ringway_balance::outlier;
use ringway_balance::retry::{self, Attempt, Failure, Verdict};
use ringway_balance::retry_budget::{self, RetryBudget};
use ringway_balance::{EndpointId, Key, Outcome};

use crate::server::{Server, percentile, until_next};

const SLOW: usize = 1;
const FAILING: usize = 2;
const LATE: usize = 4;

struct Endpoint {
    server: Server,
    /// Of a hundred.
    fails: u64,
    asked: u64,
}

/// A request that is under way, or comes back to be tried again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Request {
    came: Duration,
    key: Option<u64>,
    tried: Vec<EndpointId>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Comes,
    Tried { request: Request, began: Duration, has_failed: bool },
    Again(Request),
}

struct World {
    endpoints: Vec<Endpoint>,
    balance: Endpoints,
    budget: RetryBudget,
    retries: retry::Config,
    draws: Draws,
    per_second: f64,
    /// Half of the requests are for one key, the others for one of a thousand.
    has_keys: bool,
    /// So many of a thousand requests are a hundred times the work.
    heavy: u64,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    number: u64,
    /// Of the present phase.
    took: Vec<Duration>,
    failed: usize,
}

/// What came of a phase.
struct Figures {
    p50: Duration,
    p99: Duration,
    failed_share: f64,
    /// Attempts by requests.
    amplified: f64,
    asked: Vec<u64>,
}

impl World {
    fn new(strategy: Strategy, ejects: bool, retries_max: u32) -> Self {
        let endpoint = |_| Endpoint { server: Server::new(8, Duration::from_millis(10)), fails: 0, asked: 0 };
        let in_row_max = if ejects { 5 } else { u32::MAX };
        let outlier = outlier::Config {
            in_row_max,
            volume_min: if ejects { 20 } else { u64::MAX },
            ..outlier::Config::default()
        };
        let mut world = Self {
            endpoints: (0..5).map(endpoint).collect(),
            balance: Endpoints::new(
                endpoints::Config { strategy, outlier, ..endpoints::Config::default() },
                Key::new([5; 16]),
            ),
            budget: RetryBudget::new(retry_budget::Config::default()),
            retries: retry::Config { retries_max, ..retry::Config::default() },
            draws: Draws::new(17),
            per_second: 1_000.0,
            has_keys: false,
            heavy: 0,
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            number: 0,
            took: Vec::new(),
            failed: 0,
        };
        world.set_members(4);
        world.push(Duration::ZERO, Event::Comes);
        world
    }

    /// One ten times as slow as the others, one that fails three of ten.
    fn break_two(mut self) -> Self {
        self.endpoints[SLOW].server.service_time = Duration::from_millis(100);
        self.endpoints[FAILING].fails = 30;
        self
    }

    fn set_members(&mut self, count: u64) {
        let members: Vec<(EndpointId, u32)> = (0..count).map(|id| (EndpointId(id), 1)).collect();
        self.balance.set_members(self.now, &members);
    }

    fn run(&mut self, seconds: u64) -> Figures {
        let until = self.now + Duration::from_secs(seconds);
        (self.took, self.failed) = (Vec::new(), 0);
        self.endpoints.iter_mut().for_each(|endpoint| endpoint.asked = 0);
        while let Some(Reverse((at, number, event))) = self.events.pop() {
            if at > until {
                self.events.push(Reverse((at, number, event)));
                break;
            }
            self.now = at;
            match event {
                Event::Comes => self.comes(),
                Event::Tried { request, began, has_failed } => self.tried(request, began, has_failed),
                Event::Again(request) => self.send(request),
            }
        }
        self.figures()
    }

    fn comes(&mut self) {
        let next = self.now + until_next(self.per_second, &mut self.draws);
        self.push(next, Event::Comes);
        self.budget.note_request(self.now);
        let key = self.has_keys.then(|| Draws::new(self.draws.below(1_000) * self.draws.below(2)).number());
        self.send(Request { came: self.now, key, tried: Vec::new() });
    }

    fn send(&mut self, mut request: Request) {
        let ask = Ask { random: self.draws.number(), key: request.key, avoid: &request.tried, ..Ask::default() };
        let choice = self.balance.choose(self.now, &ask).expect("there are endpoints");
        self.balance.begin(self.now, choice.id);
        let endpoint = &mut self.endpoints[choice.id.0 as usize];
        endpoint.asked += 1;
        let has_failed = self.draws.below(100) < endpoint.fails;
        // What fails, fails fast.
        let done = if has_failed {
            self.now + Duration::from_millis(1)
        } else {
            let work = if self.draws.below(1_000) < self.heavy { 100.0 } else { 1.0 };
            endpoint.server.serve(self.now, work, &mut self.draws)
        };
        request.tried.push(choice.id);
        self.push(done, Event::Tried { request, began: self.now, has_failed });
    }

    fn tried(&mut self, request: Request, began: Duration, has_failed: bool) {
        let id = *request.tried.last().expect("it was tried");
        let outcome = if has_failed { Outcome::Failed } else { Outcome::Good };
        self.balance.answered(self.now, id, self.now - began, outcome);
        self.balance.end(id);
        if !has_failed {
            self.took.push(self.now - request.came);
            return;
        }
        let retries = request.tried.len() as u32 - 1;
        let attempt = Attempt { method: "GET", failure: Failure::Status(503), has_body: true, retries };
        match retry::judge(&self.retries, &attempt, self.draws.number()) {
            Verdict::RetryAfter(pause) if self.budget.spend(self.now) => {
                self.push(self.now + pause, Event::Again(request));
            }
            _ => self.failed += 1,
        }
    }

    fn push(&mut self, at: Duration, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }

    fn figures(&mut self) -> Figures {
        let asked: Vec<u64> = self.endpoints.iter().map(|endpoint| endpoint.asked).collect();
        let ended = (self.took.len() + self.failed) as f64;
        let figures = Figures {
            p50: percentile(&mut self.took, 0.5),
            p99: percentile(&mut self.took, 0.99),
            failed_share: self.failed as f64 / ended,
            amplified: asked.iter().sum::<u64>() as f64 / ended,
            asked,
        };
        println!(
            "p50 {:?}, p99 {:?}, {:.2}% failed, {:.2} attempts each, asked {:?}",
            figures.p50,
            figures.p99,
            figures.failed_share * 100.0,
            figures.amplified,
            figures.asked
        );
        figures
    }
}

#[test]
fn the_slow_endpoint_decides_the_tail_of_round_robin_and_not_that_of_least_loaded() {
    let tail = |strategy| {
        let mut world = World::new(strategy, true, 2).break_two();
        // Less than what the slow one can do in its turn, or round robin would only queue up.
        world.per_second = 200.0;
        world.run(20);
        world.run(60)
    };
    let (turns, loaded) = (tail(Strategy::RoundRobin), tail(Strategy::LeastLoaded));
    assert!(turns.p99 > Duration::from_millis(200), "{:?}", turns.p99);
    assert!(loaded.p99 < Duration::from_millis(80), "{:?}", loaded.p99);
    assert!(loaded.asked[SLOW] < turns.asked[SLOW] / 5, "{:?} {:?}", loaded.asked, turns.asked);
}

#[test]
fn ejection_and_retries_keep_failures_below_one_percent_for_a_few_percent_more_load() {
    let run = |ejects, retries_max| {
        let mut world = World::new(Strategy::LeastLoaded, ejects, retries_max).break_two();
        world.run(120)
    };
    let neither = run(false, 0);
    assert!(neither.failed_share > 0.05, "{}", neither.failed_share);
    let ejection = run(true, 0);
    assert!(ejection.failed_share < neither.failed_share / 3.0, "{}", ejection.failed_share);
    let both = run(true, 2);
    assert!(both.failed_share < 0.001, "{}", both.failed_share);
    assert!(both.amplified < 1.05, "{}", both.amplified);
}

#[test]
fn one_that_comes_late_gets_its_share_without_being_flooded() {
    for strategy in [Strategy::LeastLoaded, Strategy::RoundRobin, Strategy::LeastRequests, Strategy::Hash] {
        let mut world = World::new(strategy, true, 2);
        world.run(30);
        world.set_members(5);
        let first = world.run(2);
        let all: u64 = first.asked.iter().sum();
        assert!((all / 100..all / 7).contains(&first.asked[LATE]), "warms up: {:?}", first.asked);
        world.run(10);
        let later = world.run(20);
        let all: u64 = later.asked.iter().sum();
        assert!((all / 8..all * 3 / 10).contains(&later.asked[LATE]), "{strategy:?}: {:?}", later.asked);
        assert!(later.p99 < Duration::from_millis(80), "{strategy:?}: {:?}", later.p99);
    }
}

#[test]
fn a_total_outage_adds_no_more_than_the_budget_and_passes_when_it_is_over() {
    let mut world = World::new(Strategy::LeastLoaded, true, 3);
    world.run(30);
    world.endpoints.iter_mut().for_each(|endpoint| endpoint.fails = 100);
    world.run(10);
    let outage = world.run(60);
    assert_eq!(outage.failed_share, 1.0);
    assert!(outage.amplified < 1.22, "a fifth more and three a second: {}", outage.amplified);
    assert!(outage.asked[..4].iter().all(|asked| *asked > 0), "never all are out: {:?}", outage.asked);
    world.endpoints.iter_mut().for_each(|endpoint| endpoint.fails = 0);
    world.run(1);
    let after = world.run(30);
    assert_eq!(after.failed_share, 0.0);
    assert!(after.asked[..4].iter().all(|asked| *asked > 5_000), "no pause outlasts it: {:?}", after.asked);
    assert!(after.p99 < Duration::from_millis(120), "{:?}", after.p99);
}

#[test]
fn a_key_that_half_of_all_ask_for_does_not_overload_its_endpoint() {
    let mut world = World::new(Strategy::Hash, true, 2);
    world.set_members(5);
    world.has_keys = true;
    world.run(20);
    let figures = world.run(30);
    let (most, all) = (figures.asked.iter().max().expect("five"), figures.asked.iter().sum::<u64>());
    assert!(*most < all * 4 / 10, "half of all would be without a bound: {:?}", figures.asked);
    assert!(figures.p99 < Duration::from_millis(80), "{:?}", figures.p99);
}

#[test]
fn requests_that_are_now_and_then_a_hundred_times_the_work_do_not_make_the_others_herd() {
    let tail = |strategy| {
        let mut world = World::new(strategy, true, 2);
        world.set_members(5);
        (world.heavy, world.per_second) = (2, 2_800.0);
        world.run(20);
        world.run(60)
    };
    let (turns, loaded) = (tail(Strategy::RoundRobin), tail(Strategy::LeastLoaded));
    assert!(loaded.p50 < Duration::from_millis(15), "{:?}", loaded.p50);
    assert!(loaded.p99 < turns.p99 * 2 / 3, "{:?} {:?}", loaded.p99, turns.p99);
    let (least, most) = (loaded.asked.iter().min().expect("five"), loaded.asked.iter().max().expect("five"));
    assert!(*most < least * 2, "{:?}", loaded.asked);
}
