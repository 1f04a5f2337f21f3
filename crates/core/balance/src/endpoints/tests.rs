use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;

use super::Strategy;
use super::*;

const A: EndpointId = EndpointId(1);
const B: EndpointId = EndpointId(2);
const C: EndpointId = EndpointId(3);

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Three endpoints that have been there for a minute when the clock shows 60 s.
fn three(strategy: Strategy) -> Endpoints {
    let mut endpoints = Endpoints::new(Config { strategy, ..Config::default() }, Key::new([1; 16]));
    endpoints.set_members(secs(0), &[(C, 1), (A, 1), (B, 1)]);
    endpoints
}

fn choose(endpoints: &mut Endpoints, now: Duration, random: u64) -> EndpointId {
    endpoints.choose(now, &Ask { random, ..Ask::default() }).expect("somebody").id
}

/// Of 3,000 choices that end at once.
fn shares(endpoints: &mut Endpoints, now: Duration) -> [u32; 3] {
    let mut counts = [0; 3];
    for random in 0..3_000 {
        let key = Some(Draws::new(random).number());
        let id = endpoints.choose(now, &Ask { random, key, ..Ask::default() }).expect("somebody").id;
        counts[id.0 as usize - 1] += 1;
        endpoints.begin(now, id);
        endpoints.answered(now, id, Duration::from_millis(5), Outcome::Good);
        endpoints.end(id);
    }
    counts
}

fn fail(endpoints: &mut Endpoints, now: Duration, id: EndpointId) -> Option<Ejected> {
    endpoints.begin(now, id);
    let ejected = endpoints.answered(now, id, Duration::from_millis(5), Outcome::Failed);
    endpoints.end(id);
    ejected
}

const ALL: [Strategy; 4] = [Strategy::LeastLoaded, Strategy::RoundRobin, Strategy::LeastRequests, Strategy::Hash];

#[test]
fn equals_share_the_load_whatever_the_strategy() {
    for strategy in ALL {
        let shares = shares(&mut three(strategy), secs(60));
        assert!(shares.iter().all(|share| (650..1_350).contains(share)), "{strategy:?}: {shares:?}");
    }
}

#[test]
fn weights_are_kept_while_all_are_idle() {
    for strategy in [Strategy::LeastLoaded, Strategy::RoundRobin, Strategy::Hash] {
        let mut endpoints = three(strategy);
        endpoints.set_members(secs(60), &[(A, 1), (B, 1), (C, 4)]);
        let shares = shares(&mut endpoints, secs(61));
        assert!((1_700..2_300).contains(&shares[2]), "{strategy:?}: {shares:?}");
    }
}

#[test]
fn a_newcomer_begins_with_a_tenth_of_its_share_and_gets_all_of_it() {
    for strategy in [Strategy::LeastLoaded, Strategy::RoundRobin] {
        let mut endpoints = three(strategy);
        endpoints.set_members(secs(60), &[(A, 1), (B, 1)]);
        endpoints.set_members(secs(70), &[(A, 1), (B, 1), (C, 1)]);
        let (early, late) = (shares(&mut endpoints, secs(70)), shares(&mut endpoints, secs(81)));
        assert!((80..250).contains(&early[2]), "{strategy:?}: {early:?}");
        assert!((900..1_100).contains(&late[2]), "{strategy:?}: {late:?}");
    }
}

#[test]
fn those_that_drain_fail_their_checks_or_are_gone_get_nothing_new() {
    for strategy in ALL {
        let mut endpoints = three(strategy);
        endpoints.set_draining(secs(60), A, true);
        assert_eq!(shares(&mut endpoints, secs(60))[0], 0, "{strategy:?}");
        endpoints.set_healthy(secs(60), B, false);
        assert_eq!(shares(&mut endpoints, secs(60)), [0, 0, 3_000], "{strategy:?}");
        endpoints.set_lost(secs(60), C, true);
        let choice = endpoints.choose(secs(60), &Ask::default()).expect("the unhealthy one is better than none");
        assert_eq!((choice.id, choice.rank), (B, Rank::Unhealthy));
        endpoints.set_lost(secs(60), B, true);
        let choice = endpoints.choose(secs(60), &Ask::default()).expect("the draining one is better than none");
        assert_eq!((choice.id, choice.rank), (A, Rank::Draining));
        endpoints.set_lost(secs(60), A, true);
        assert_eq!(endpoints.choose(secs(60), &Ask::default()), None);
    }
}

#[test]
fn one_that_only_fails_is_ejected_and_comes_back_after_its_pause_with_a_small_share() {
    let mut endpoints = three(Strategy::RoundRobin);
    (0..4).for_each(|_| assert_eq!(fail(&mut endpoints, secs(60), B), None));
    let ejected = fail(&mut endpoints, secs(60), B).expect("five in a row");
    assert_eq!((ejected.id, ejected.until), (B, secs(70)));
    assert_eq!(shares(&mut endpoints, secs(69))[1], 0);
    let back = shares(&mut endpoints, secs(70));
    assert!((100..200).contains(&back[1]), "{back:?}");
    let words = endpoints.condition(secs(75), B).expect("a member").to_string();
    assert_eq!(words, "warming up, at 50% of its share");
}

#[test]
fn what_was_under_way_when_it_was_ejected_does_not_make_its_pause_longer() {
    let mut endpoints = three(Strategy::LeastLoaded);
    endpoints.set_members(secs(60), &[1, 2, 3, 4, 5].map(|id| (EndpointId(id), 1)));
    (0..20).for_each(|_| endpoints.begin(secs(60), B));
    let took = Duration::from_millis(5);
    let ejected = (0..20).filter(|_| endpoints.answered(secs(60), B, took, Outcome::Failed).is_some()).count();
    assert_eq!(ejected, 1);
    let words = endpoints.condition(secs(60), B).expect("a member").to_string();
    assert_eq!(words, "ejected for 10 s more: 5 failures in a row");
}

#[test]
fn nobody_is_compared_with_those_who_have_left() {
    let mut endpoints = three(Strategy::LeastLoaded);
    let answer = |endpoints: &mut Endpoints, id, has_failed| {
        endpoints.begin(secs(60), id);
        let outcome = if has_failed { Outcome::Failed } else { Outcome::Good };
        let ejected = endpoints.answered(secs(60), id, Duration::from_millis(5), outcome);
        endpoints.end(id);
        ejected.is_some()
    };
    // Too few to say anything of it, but enough to make the next one look better than it is.
    (0..19).for_each(|count| assert!(!answer(&mut endpoints, B, count % 2 == 1)));
    endpoints.set_members(secs(60), &[(A, 1), (C, 1)]);
    (0..50).for_each(|_| assert!(!answer(&mut endpoints, C, false)));
    assert!((0..50).any(|count| answer(&mut endpoints, A, count % 5 < 2)), "40% against none");
}

#[test]
fn of_three_only_one_may_be_ejected_whatever_the_others_do() {
    let mut endpoints = three(Strategy::LeastLoaded);
    shares(&mut endpoints, secs(60));
    let ejected: Vec<EndpointId> =
        (0..20).flat_map(|_| [A, B, C]).filter_map(|id| Some(fail(&mut endpoints, secs(60), id)?.id)).collect();
    assert_eq!(ejected, [A]);
    endpoints.set_lost(secs(60), B, true);
    endpoints.set_lost(secs(60), C, true);
    assert_eq!(choose(&mut endpoints, secs(61), 0), A, "an ejected one is better than none");
}

#[test]
fn a_retry_goes_elsewhere_as_long_as_there_is_somebody() {
    for strategy in ALL {
        let mut endpoints = three(strategy);
        for random in 0..100 {
            let ask = |avoid| Ask { random, key: Some(random), avoid, ..Ask::default() };
            let id = endpoints.choose(secs(60), &ask(&[A, C])).map(|choice| choice.id);
            assert_eq!(id, Some(B), "{strategy:?}");
            assert!(endpoints.choose(secs(60), &ask(&[A, B, C])).is_some(), "{strategy:?}: again is better than not");
        }
    }
}

#[test]
fn a_session_stays_with_its_endpoint_while_it_drains_and_moves_when_it_fails_or_goes() {
    let bound = |endpoints: &mut Endpoints, avoid: &[EndpointId]| {
        let ask = Ask { random: 4, bound_to: Some(B), avoid, ..Ask::default() };
        endpoints.choose(secs(60), &ask).expect("somebody")
    };
    let mut endpoints = three(Strategy::LeastLoaded);
    assert_eq!(bound(&mut endpoints, &[]).why, Why::Bound);
    endpoints.set_draining(secs(60), B, true);
    assert_eq!(bound(&mut endpoints, &[]).id, B);
    assert_ne!(bound(&mut endpoints, &[B]).id, B, "it has just failed there");
    endpoints.set_lost(secs(60), B, true);
    let next = bound(&mut endpoints, &[]).id;
    assert_ne!(next, B);
    endpoints.set_members(secs(60), &[(A, 1), (C, 1)]);
    assert_ne!(bound(&mut endpoints, &[]).id, B);
}

#[test]
fn what_is_known_of_those_who_stay_is_kept_and_late_answers_of_the_gone_are_ignored() {
    let mut endpoints = three(Strategy::LeastRequests);
    [A, A, B, B, C].into_iter().for_each(|id| endpoints.begin(secs(60), id));
    endpoints.set_members(secs(60), &[(A, 1), (C, 1)]);
    assert_eq!(endpoints.in_flight(), 3);
    endpoints.answered(secs(60), B, secs(1), Outcome::Good);
    endpoints.end(B);
    assert_eq!(endpoints.in_flight(), 3);
    assert_eq!(choose(&mut endpoints, secs(60), 0), C, "one in flight against two");
}

#[test]
fn a_key_stays_with_its_endpoint_and_a_busy_one_hands_on() {
    let mut endpoints = three(Strategy::Hash);
    let ask = Ask { key: Some(77), ..Ask::default() };
    let owner = endpoints.choose(secs(60), &ask).expect("somebody");
    assert_eq!(owner.why.to_string(), "the key belongs to it");
    for _ in 0..50 {
        assert_eq!(endpoints.choose(secs(60), &ask).map(|choice| choice.id), Some(owner.id));
    }
    (0..4).for_each(|_| endpoints.begin(secs(60), owner.id));
    assert_ne!(endpoints.choose(secs(60), &ask).map(|choice| choice.id), Some(owner.id));
}

#[test]
fn requests_without_a_key_go_to_the_less_loaded() {
    let mut endpoints = three(Strategy::Hash);
    for id in [A, A, A, B, B, B] {
        endpoints.begin(secs(60), id);
    }
    let chosen = (0..300).filter(|random| choose(&mut endpoints, secs(60), *random) == C).count();
    assert!((150..250).contains(&chosen), "whenever it is drawn: {chosen}");
}

#[derive(Clone, Debug)]
enum Step {
    Members(Vec<(u64, u32)>),
    Choose { random: u64, key: Option<u64>, bound_to: Option<u64>, avoid: Vec<u64> },
    Answered { which: usize, outcome: Outcome },
    Lost(u64, bool),
    Draining(u64, bool),
    Healthy(u64, bool),
    Pass(u64),
}

fn step() -> impl Generator<Value = Step> {
    let id = 0..6_u64;
    let outcome = prop_oneof![Just(Outcome::Good), Just(Outcome::Failed), Just(Outcome::Cancelled)];
    prop_oneof![
        1 => prop::collection::vec((id.clone(), 0..5_u32), 0..6).prop_map(Step::Members),
        8 => (any::<u64>(), any::<Option<u64>>(), prop::option::of(id.clone()), prop::collection::vec(id.clone(), 0..3))
            .prop_map(|(random, key, bound_to, avoid)| Step::Choose { random, key, bound_to, avoid }),
        8 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Step::Answered { which, outcome }),
        1 => (id.clone(), any::<bool>()).prop_map(|(id, is)| Step::Lost(id, is)),
        1 => (id.clone(), any::<bool>()).prop_map(|(id, is)| Step::Draining(id, is)),
        1 => (id, any::<bool>()).prop_map(|(id, is)| Step::Healthy(id, is)),
        2 => (0..8_000_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_somebody_who_is_there_is_chosen_and_what_is_in_flight_adds_up(
        which in 0..ALL.len(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut endpoints = three(ALL[which]);
        let (mut now, mut under_way) = (secs(60), Vec::new());
        for step in steps {
            match step {
                Step::Members(members) => {
                    let members: Vec<_> = members.into_iter().map(|(id, weight)| (EndpointId(id), weight)).collect();
                    endpoints.set_members(now, &members);
                }
                Step::Choose { random, key, bound_to, avoid } => {
                    let avoid: Vec<EndpointId> = avoid.into_iter().map(EndpointId).collect();
                    let ask = Ask { random, key, bound_to: bound_to.map(EndpointId), avoid: &avoid };
                    let is_there = |one: &&Endpoint| endpoints.condition(now, one.id()) != Some(Condition::Lost);
                    let there: Vec<EndpointId> = endpoints.members().iter().filter(is_there).map(Endpoint::id).collect();
                    let choice = endpoints.choose(now, &ask);
                    prop_assert_eq!(choice.is_some(), !there.is_empty());
                    if let Some(choice) = choice {
                        prop_assert!(there.contains(&choice.id));
                        endpoints.begin(now, choice.id);
                        under_way.push(choice.id);
                    }
                }
                Step::Answered { which, outcome } if !under_way.is_empty() => {
                    let id = under_way.swap_remove(which % under_way.len());
                    endpoints.answered(now, id, Duration::from_millis(5), outcome);
                    endpoints.end(id);
                }
                Step::Answered { .. } => {}
                Step::Lost(id, is_lost) => endpoints.set_lost(now, EndpointId(id), is_lost),
                Step::Draining(id, is_draining) => endpoints.set_draining(now, EndpointId(id), is_draining),
                Step::Healthy(id, is_healthy) => endpoints.set_healthy(now, EndpointId(id), is_healthy),
                Step::Pass(millis) => now += Duration::from_millis(millis),
            }
            prop_assert_eq!(endpoints.in_flight(), endpoints.members().iter().map(Endpoint::in_flight).sum::<u32>());
        }
    }
}
