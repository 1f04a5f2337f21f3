use http::HeaderMap;

use crate::store::Store;
use crate::testing::{entry, key};

fn is_there(store: &Store, target: &str) -> bool {
    store.find(&key(target), &HeaderMap::new()).is_some()
}

fn used(store: &Store, target: &str, count: u32) {
    let entry = store.find(&key(target), &HeaderMap::new()).expect("it is stored");
    entry.response.uses.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
}

#[test]
fn a_crawler_does_not_push_out_what_is_in_use() {
    let mut store = Store::new(400_000);
    let mut evicted = 0;
    for number in 0..50 {
        store.insert(entry(number, &format!("/hot/{number}"), 2_000, 1_000), &HeaderMap::new());
        used(&store, &format!("/hot/{number}"), 2);
    }
    for number in 0..5_000 {
        evicted += store.insert(entry(1_000 + number, &format!("/crawled/{number}"), 2_000, 1_000), &HeaderMap::new());
        if number % 50 == 0 {
            (0..50).for_each(|number| used(&store, &format!("/hot/{number}"), 1));
        }
    }
    assert!((0..50).all(|number| is_there(&store, &format!("/hot/{number}"))), "all hot pages are still there");
    assert!(evicted > 4_000);
}

#[test]
fn what_was_in_use_long_ago_goes_in_the_end() {
    let mut store = Store::new(100_000);
    store.insert(entry(0, "/old", 2_000, 1_000), &HeaderMap::new());
    used(&store, "/old", 1_000_000);
    for number in 0..1_000 {
        let target = format!("/new/{number}");
        store.insert(entry(1 + number, &target, 2_000, 1_000), &HeaderMap::new());
        used(&store, &target, 2);
    }
    assert!(!is_there(&store, "/old"));
}

#[test]
fn what_comes_back_soon_is_not_taken_for_new() {
    let mut store = Store::new(100_000);
    let insert = |store: &mut Store, id, target: &str| store.insert(entry(id, target, 2_000, 1_000), &HeaderMap::new());
    insert(&mut store, 0, "/back");
    let mut id = 1;
    while is_there(&store, "/back") {
        insert(&mut store, id, &format!("/{id}"));
        id += 1;
    }
    insert(&mut store, id, "/back");
    let is_main =
        store.find(&key("/back"), &HeaderMap::new()).unwrap().is_main.load(std::sync::atomic::Ordering::Relaxed);
    assert!(is_main);
}
