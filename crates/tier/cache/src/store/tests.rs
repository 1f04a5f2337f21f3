use proptest::prelude::*;

use super::*;
use crate::testing::{entry, key};

fn found(store: &Store, target: &str) -> Option<u64> {
    store.find(&key(target), &HeaderMap::new()).map(|entry| entry.id)
}

/// What the account says against what is there.
fn check(store: &Store) {
    let mut bytes = 0;
    for entry in store.places.values().flatten() {
        assert!(!entry.is_gone() && store.due.contains_key(&(entry.times.useless_from_ms(), entry.id)));
        bytes += entry.weight;
    }
    assert_eq!(store.bytes(), bytes);
    assert_eq!(store.len(), store.places.values().map(Vec::len).sum::<usize>());
    assert!(store.bytes() <= store.limit, "{} of {}", store.bytes(), store.limit);
    assert!(store.places.values().all(|variants| !variants.is_empty()));
}

#[derive(Clone, Debug)]
enum Step {
    Insert { target: u8, len: usize, fresh_until_ms: u64 },
    Use(u8),
    Forget(u8),
    Expire(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..40u8, 0..4_000usize, 1..100u64)
            .prop_map(|(target, len, fresh_until_ms)| Step::Insert { target, len, fresh_until_ms }),
        6 => (0..40u8).prop_map(Step::Use),
        1 => (0..40u8).prop_map(Step::Forget),
        1 => (0..100u64).prop_map(Step::Expire),
    ]
}

proptest! {
    #[test]
    fn the_account_is_exact_and_within_the_limit_whatever_happens(steps in prop::collection::vec(step(), 1..300)) {
        let mut store = Store::new(20_000);
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert { target, len, fresh_until_ms } => {
                    let entry = entry(at as u64, &format!("/{target}"), len, fresh_until_ms);
                    store.insert(entry, &HeaderMap::new());
                }
                Step::Use(target) => {
                    if let Some(entry) = store.find(&key(&format!("/{target}")), &HeaderMap::new()) {
                        entry.response.uses.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Step::Forget(target) => {
                    let place = Place::of(&key(&format!("/{target}")));
                    store.forget(Some(&place), |_| true);
                }
                Step::Expire(now_ms) => {
                    store.expire(now_ms);
                    prop_assert!(store.entries().all(|entry| entry.times.useless_from_ms() > now_ms));
                }
            }
            check(&store);
        }
    }
}

#[test]
fn a_new_response_takes_the_place_of_the_old_one() {
    let mut store = Store::new(1 << 20);
    let old = entry(1, "/a", 10, 100);
    store.insert(old.clone(), &HeaderMap::new());
    store.insert(entry(2, "/a", 10, 100), &HeaderMap::new());
    assert_eq!((found(&store, "/a"), store.len(), old.is_gone()), (Some(2), 1, true));
}

#[test]
fn what_is_larger_than_the_part_is_not_stored() {
    let mut store = Store::new(5_000);
    store.insert(entry(1, "/small", 10, 100), &HeaderMap::new());
    assert_eq!(store.insert(entry(2, "/large", 5_000, 100), &HeaderMap::new()), 0);
    assert_eq!((found(&store, "/small"), found(&store, "/large")), (Some(1), None));
}

#[test]
fn what_nobody_can_use_goes_without_being_asked_for() {
    let mut store = Store::new(1 << 20);
    store.insert(entry(1, "/a", 10, 100), &HeaderMap::new());
    store.insert(entry(2, "/b", 10, 200), &HeaderMap::new());
    assert_eq!(store.expire(100), 1);
    assert_eq!((found(&store, "/a"), found(&store, "/b")), (None, Some(2)));
}

#[test]
fn the_same_address_of_another_app_is_another_response() {
    let mut store = Store::new(1 << 20);
    store.insert(entry(1, "/a", 10, 100), &HeaderMap::new());
    let other = CacheKey { app: "other".into(), ..key("/a") };
    assert!(store.find(&other, &HeaderMap::new()).is_none());
    assert!(store.find(&CacheKey { tls: true, ..key("/a") }, &HeaderMap::new()).is_none());
}

#[test]
fn of_two_variants_that_fit_the_later_one_is_used() {
    use crate::policy::vary::selecting;
    let variant = |id, made_ms, names: &[http::HeaderName]| {
        let mut variant = Arc::into_inner(entry(id, "/a", 10, 100)).expect("nobody else has it");
        variant.made_ms = made_ms;
        variant.selecting = selecting(names, &HeaderMap::new());
        Arc::new(variant)
    };
    // The first is stored for requests without one header, the second, by an app that has changed its mind, without another.
    let asked = |name: http::HeaderName| HeaderMap::from_iter([(name, http::HeaderValue::from_static("x"))]);
    for (first_made_ms, expected) in [(5, 2), (7, 1)] {
        let mut store = Store::new(1 << 20);
        store.insert(variant(1, first_made_ms, &[http::header::ACCEPT]), &asked(http::header::ACCEPT_LANGUAGE));
        store.insert(variant(2, 6, &[http::header::ACCEPT_LANGUAGE]), &asked(http::header::ACCEPT));
        assert_eq!((store.len(), found(&store, "/a")), (2, Some(expected)));
    }
}
