use std::future::Future;

use futures_util::future::join_all;
use http::Method;
use ringway_ports::{Answered, Body, Fetch, Hit, HitKind, Waited};
use tokio::time::{advance, sleep};

use super::*;
use crate::testing::{World, headers, key, node_id, response, text};

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];

fn miss(looked: Looked) -> Box<dyn Fetch> {
    match looked {
        Looked::Miss(fetch) => fetch,
        other => panic!("{}", name(&other)),
    }
}

fn hit(looked: Looked) -> Hit {
    match looked {
        Looked::Hit(hit) => hit,
        other => panic!("{}", name(&other)),
    }
}

fn waiting(looked: Looked) -> BoxFuture<'static, Waited> {
    match looked {
        Looked::Wait(waiting) => waiting,
        other => panic!("{}", name(&other)),
    }
}

fn name(looked: &Looked) -> String {
    match looked {
        Looked::Bypass(why) => format!("bypass: {why}"),
        Looked::Hit(hit) => format!("hit: {:?}", hit.kind),
        Looked::Stale(_, fetch) => format!("stale, fetch: {}", fetch.is_some()),
        Looked::Miss(_) => "miss".to_owned(),
        Looked::Wait(_) => "wait".to_owned(),
        Looked::Absent => "absent".to_owned(),
    }
}

fn body_of(hit: &Hit) -> &str {
    std::str::from_utf8(&hit.response.body).unwrap()
}

async fn fetched(fetch: Box<dyn Fetch>, answer: http::Response<Body>) -> String {
    match fetch.answered(answer) {
        Answered::Response(response, _) => text(response.into_body()).await,
        Answered::Hit(hit) => format!("{:?} {}", hit.kind, body_of(&hit)),
    }
}

/// Stores an answer for the address.
async fn store(tier: &CacheTier, target: &str, lines: &[(&'static str, &str)], body: &'static str) {
    let fetch = miss(tier.get(target, &[]));
    assert_eq!(fetched(fetch, response(200, lines, body)).await, body);
}

async fn waited(waited: impl Future<Output = Waited>) -> String {
    match waited.await {
        Waited::Answer(answer) => text(answer.into_body()).await,
        Waited::Hit(hit) => format!("{:?} {}", hit.kind, body_of(&hit)),
        Waited::Again => "again".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_at_once_cost_one_fetch() {
    let (_world, tier) = World::one();
    let leader = miss(tier.get("/a", &[]));
    let others: Vec<_> = (1..1000).map(|_| waiting(tier.get("/a", &[]))).collect();
    let app = async {
        sleep(Duration::from_millis(50)).await;
        fetched(leader, response(200, FRESH, "page")).await
    };
    let (first, others) = futures_util::join!(app, join_all(others.into_iter().map(waited)));
    assert_eq!(first, "page");
    assert!(others.iter().all(|other| other == "page"));
    assert_eq!(body_of(&hit(tier.get("/a", &[]))), "page");
    let stats = tier.stats();
    assert_eq!((stats.misses, stats.collapsed, stats.hits, stats.responses), (1, 999, 1, 1));
    assert_eq!(stats.saved, Duration::from_millis(50), "the one hit was spared the app's time");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_shared_releases_all_at_once() {
    let (_world, tier) = World::one();
    let leader = miss(tier.get("/a", &[]));
    let others: Vec<_> = (1..1000).map(|_| waiting(tier.get("/a", &[]))).collect();
    assert_eq!(fetched(leader, response(200, &[("cache-control", "private")], "mine")).await, "mine");
    for other in join_all(others.into_iter().map(waited)).await {
        assert_eq!(other, "again");
        assert_eq!(name(&tier.get("/a", &[])), "bypass: uncacheable", "nobody stands in line");
    }
    // Later one looks whether that is still so, and the others still do not wait for it.
    advance(Duration::from_secs(3)).await;
    let probe = miss(tier.get("/a", &[]));
    assert_eq!(name(&tier.get("/a", &[])), "bypass: uncacheable");
    fetched(probe, response(200, FRESH, "for all")).await;
    assert_eq!(body_of(&hit(tier.get("/a", &[]))), "for all");
}

#[tokio::test(start_paused = true)]
async fn when_the_one_that_fetches_goes_away_the_next_takes_over() {
    let (_world, tier) = World::one();
    let leader = miss(tier.get("/a", &[]));
    let (second, third) = (waiting(tier.get("/a", &[])), waiting(tier.get("/a", &[])));
    drop(leader);
    assert_eq!((waited(second).await, waited(third).await), ("again".to_owned(), "again".to_owned()));
    let next = miss(tier.get("/a", &[]));
    assert_eq!(name(&tier.get("/a", &[])), "wait");
    assert_eq!(fetched(next, response(200, FRESH, "page")).await, "page");
}

#[tokio::test(start_paused = true)]
async fn when_its_client_leaves_in_the_middle_of_the_body_the_others_get_all_of_it() {
    let (_world, tier) = World::one();
    let leader = miss(tier.get("/a", &[]));
    let other = waiting(tier.get("/a", &[]));
    let Answered::Response(answer, true) = leader.answered(response(200, FRESH, "page")) else { panic!("not stored") };
    let Waited::Answer(shared) = other.await else { panic!("not shared") };
    drop(answer);
    assert_eq!(text(shared.into_body()).await, "page");
    assert_eq!(body_of(&hit(tier.get("/a", &[]))), "page");
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_the_body_comes_gets_it_from_its_beginning() {
    let (_world, tier) = World::one();
    let Answered::Response(answer, true) = miss(tier.get("/a", &[])).answered(response(200, FRESH, "page")) else {
        panic!("not stored")
    };
    let late = waiting(tier.get("/a", &[]));
    let (first, late) = futures_util::join!(text(answer.into_body()), waited(late));
    assert_eq!((first.as_str(), late.as_str()), ("page", "page"));
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_another_variant_looks_again() {
    let (_world, tier) = World::one();
    let vary = &[("cache-control", "max-age=60"), ("vary", "accept-language")];
    let leader = miss(tier.get("/a", &[("accept-language", "en")]));
    let same = waiting(tier.get("/a", &[("accept-language", "en")]));
    let other = waiting(tier.get("/a", &[("accept-language", "de")]));
    let Answered::Response(answer, true) = leader.answered(response(200, vary, "hello")) else { panic!("not stored") };
    assert_eq!(waited(other).await, "again");
    // While the first streams, the other variant has a fetch of its own.
    let other = miss(tier.get("/a", &[("accept-language", "de")]));
    assert_eq!(name(&tier.get("/a", &[("accept-language", "de")])), "wait");
    let (first, same) = futures_util::join!(text(answer.into_body()), waited(same));
    assert_eq!((first.as_str(), same.as_str()), ("hello", "hello"));
    fetched(other, response(200, vary, "hallo")).await;
    assert_eq!(body_of(&hit(tier.get("/a", &[("accept-language", "en")]))), "hello");
    assert_eq!(body_of(&hit(tier.get("/a", &[("accept-language", "de")]))), "hallo");
    assert_eq!(tier.stats().responses, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_is_revalidated_once_and_all_who_wait_use_it() {
    let (_world, tier) = World::one();
    store(&tier, "/a", &[("cache-control", "max-age=1"), ("etag", "\"1\""), ("x-old", "1")], "page").await;
    advance(Duration::from_secs(2)).await;
    let fetch = miss(tier.get("/a", &[]));
    let other = waiting(tier.get("/a", &[]));
    assert_eq!(*fetch.conditions(), headers(&[("if-none-match", "\"1\"")]));
    let told = response(304, &[("cache-control", "max-age=9"), ("etag", "\"1\""), ("x-new", "1")], "");
    assert_eq!(fetched(fetch, told).await, "Revalidated page");
    assert_eq!(waited(other).await, "Collapsed page");
    advance(Duration::from_secs(8)).await;
    let hit = hit(tier.get("/a", &[]));
    assert!(hit.response.headers.contains_key("x-old") && hit.response.headers.contains_key("x-new"));
    assert_eq!((tier.stats().revalidations, hit.response.age(tier.now_ms())), (1, Duration::from_secs(8)));
}

#[tokio::test(start_paused = true)]
async fn a_304_about_something_else_has_it_fetched_anew() {
    let (_world, tier) = World::one();
    store(&tier, "/a", &[("cache-control", "max-age=1"), ("etag", "\"1\"")], "page").await;
    advance(Duration::from_secs(2)).await;
    let fetch = miss(tier.get("/a", &[]));
    assert_eq!(fetched(fetch, response(304, &[("etag", "\"2\"")], "")).await, "Revalidated page");
    assert!(miss(tier.get("/a", &[])).conditions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_takes_the_place_of_what_was_stale() {
    let (_world, tier) = World::one();
    store(&tier, "/a", &[("cache-control", "max-age=1"), ("etag", "\"1\"")], "old").await;
    let old = hit(tier.get("/a", &[]));
    advance(Duration::from_secs(2)).await;
    fetched(miss(tier.get("/a", &[])), response(200, FRESH, "new")).await;
    assert_eq!(body_of(&hit(tier.get("/a", &[]))), "new");
    assert!(!old.response.is_usable(0), "whoever has kept the old one hears of it");
}

#[tokio::test(start_paused = true)]
async fn while_one_revalidates_all_others_use_it_stale() {
    let (_world, tier) = World::one();
    store(&tier, "/a", &[("cache-control", "max-age=1, stale-while-revalidate=9")], "old").await;
    advance(Duration::from_secs(2)).await;
    let Looked::Stale(old, Some(fetch)) = tier.get("/a", &[]) else { panic!("nobody revalidates") };
    assert_eq!((old.kind, body_of(&old)), (HitKind::Stale, "old"));
    assert_eq!(name(&tier.get("/a", &[])), "stale, fetch: false");
    fetched(fetch, response(200, FRESH, "new")).await;
    assert_eq!(body_of(&hit(tier.get("/a", &[]))), "new");
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_stands_in_for_an_app_that_fails() {
    let (_world, tier) = World::one();
    store(&tier, "/a", &[("cache-control", "max-age=1, stale-if-error=9")], "old").await;
    advance(Duration::from_secs(2)).await;
    for status in [500, 502, 503, 504] {
        let fetch = miss(tier.get("/a", &[]));
        let other = waiting(tier.get("/a", &[]));
        assert_eq!(fetched(fetch, response(status, &[], "oops")).await, "StaleIfError old", "{status}");
        assert_eq!(waited(other).await, "StaleIfError old");
    }
    let gone = miss(tier.get("/a", &[])).failed(StatusCode::BAD_GATEWAY).expect("there is something stored");
    assert_eq!(body_of(&gone), "old");
    let fetch = miss(tier.get("/a", &[]));
    assert_eq!(fetched(fetch, response(404, FRESH, "not here")).await, "not here", "no failure");
}

#[tokio::test(start_paused = true)]
async fn without_leave_a_failure_is_passed_on_and_those_who_wait_try_for_themselves() {
    let (_world, tier) = World::one();
    store(&tier, "/a", &[("cache-control", "max-age=1"), ("etag", "\"1\"")], "old").await;
    advance(Duration::from_secs(2)).await;
    let fetch = miss(tier.get("/a", &[]));
    let others: Vec<_> = (0..3).map(|_| waiting(tier.get("/a", &[]))).collect();
    assert!(fetch.failed(StatusCode::GATEWAY_TIMEOUT).is_none());
    assert!(join_all(others.into_iter().map(waited)).await.iter().all(|other| other == "again"));
    assert_eq!(name(&tier.get("/a", &[])), "bypass: uncacheable");
    advance(Duration::from_secs(1)).await;
    let fetch = miss(tier.get("/a", &[]));
    assert_eq!(fetched(fetch, response(500, &[], "oops")).await, "oops");
    advance(Duration::from_secs(1)).await;
    let fetch = miss(tier.get("/a", &[]));
    assert_eq!(fetched(fetch, response(304, FRESH, "")).await, "Revalidated old", "an error does not replace it");
}

#[tokio::test(start_paused = true)]
async fn where_everybody_must_ask_nobody_waits() {
    let (_world, tier) = World::one();
    store(&tier, "/a", &[("cache-control", "no-cache"), ("etag", "\"1\"")], "page").await;
    let (one, two) = (miss(tier.get("/a", &[])), miss(tier.get("/a", &[])));
    let told = || response(304, &[("cache-control", "no-cache"), ("etag", "\"1\"")], "");
    assert_eq!(fetched(two, told()).await, "Revalidated page");
    assert_eq!(fetched(one, told()).await, "Revalidated page");
    assert_eq!(one_condition(&*miss(tier.get("/a", &[]))), "\"1\"");
}

fn one_condition(fetch: &dyn Fetch) -> &str {
    fetch.conditions()["if-none-match"].to_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn errors_are_kept_for_a_moment_by_the_routes_default() {
    let (_world, tier) = World::one();
    let ask = || tier.ask(&Method::GET, "/a", &[], Some(Duration::from_secs(60)));
    fetched(miss(ask()), response(404, &[], "not here")).await;
    assert_eq!(hit(ask()).response.status, StatusCode::NOT_FOUND);
    advance(Duration::from_secs(11)).await;
    assert_eq!(name(&ask()), "miss");
}

#[tokio::test(start_paused = true)]
async fn a_head_is_answered_from_what_is_stored_and_shows_what_has_changed() {
    let (_world, tier) = World::one();
    let head = |target: &str| tier.ask(&Method::HEAD, target, &[], None);
    assert_eq!(name(&head("/a")), "bypass: method");
    let lines = [("cache-control", "max-age=1"), ("etag", "\"1\"")];
    store(&tier, "/a", &lines, "page").await;
    assert_eq!(hit(head("/a")).response.headers["content-length"], "4");
    advance(Duration::from_secs(2)).await;
    let same = response(200, &[("cache-control", "max-age=9"), ("etag", "\"1\""), ("content-length", "4")], "");
    assert!(matches!(miss(head("/a")).answered(same), Answered::Response(_, false)));
    assert_eq!(body_of(&hit(tier.get("/a", &[]))), "page", "it is fresh again");
    advance(Duration::from_secs(10)).await;
    let other = response(200, &[("etag", "\"2\"")], "");
    assert!(matches!(miss(head("/a")).answered(other), Answered::Response(_, false)));
    assert!(miss(tier.get("/a", &[])).conditions().is_empty(), "it is not good any more");
}

#[tokio::test(start_paused = true)]
async fn some_requests_leave_the_cache_alone() {
    let (_world, tier) = World::one();
    store(&tier, "/a", FRESH, "page").await;
    let cases = [
        (Method::POST, vec![], "bypass: method"),
        (Method::GET, vec![("cache-control", "no-store")], "bypass: request-no-store"),
        (Method::GET, vec![("content-length", "3")], "bypass: request-body"),
        (Method::GET, vec![("transfer-encoding", "chunked")], "bypass: request-body"),
        (Method::GET, vec![("upgrade", "websocket")], "bypass: upgrade"),
        (Method::GET, vec![("cache-control", "only-if-cached")], "hit: Fresh"),
        (Method::GET, vec![("cache-control", "no-cache")], "miss"),
        (Method::GET, vec![("pragma", "no-cache")], "miss"),
        (Method::GET, vec![("cache-control", "no-cache, only-if-cached")], "absent"),
        (Method::GET, vec![("content-length", "0")], "hit: Fresh"),
    ];
    for (method, lines, expected) in cases {
        assert_eq!(name(&tier.ask(&method, "/a", &lines, None)), expected, "{method} {lines:?}");
    }
    assert_eq!(name(&tier.get("/b", &[("cache-control", "only-if-cached")])), "absent");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_fetched_by_each_for_itself() {
    let (_world, tier) = World::one();
    let large = vec![b'x'; 9 << 20];
    let Answered::Response(answer, is_stored) = miss(tier.get("/a", &[])).answered(response(200, FRESH, large)) else {
        panic!("a hit")
    };
    assert!(!is_stored && answer.headers().contains_key("cache-control"));
    assert_eq!(name(&tier.get("/a", &[("range", "bytes=0-1")])), "bypass: too-large");
}

#[tokio::test(start_paused = true)]
async fn what_was_purged_while_it_was_fetched_is_not_stored() {
    let (_world, tier) = World::one();
    let url = Purge::Url { tls: None, host: "shop.test".into(), target: "/a".into() };
    let tag = Purge::Tag { app: "shop".into(), tag: "red".into() };
    let lines = &[("cache-control", "max-age=60"), ("cache-tag", "red, small")];
    for purge in [url, tag, Purge::App("shop".into()), Purge::All] {
        let begun = miss(tier.get("/a", &[]));
        let early = waiting(tier.get("/a", &[]));
        tier.purge(purge.clone()).await;
        let after = miss(tier.get("/a", &[]));
        assert_eq!(fetched(begun, response(200, lines, "old")).await, "old");
        assert_eq!(waited(early).await, "old", "who came before may have it");
        assert_eq!(name(&tier.get("/a", &[])), "wait", "{purge:?}: and nobody after it");
        assert_eq!(fetched(after, response(200, lines, "new")).await, "new");
        assert_eq!(body_of(&hit(tier.get("/a", &[]))), "new", "{purge:?}");
        tier.purge(purge).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_purge_forgets_what_it_names_and_nothing_else() {
    let (_world, tier) = World::one();
    for (target, tags) in [("/a/1", "red"), ("/a/2", "blue"), ("/b", "red, blue"), ("/c", "")] {
        store(&tier, target, &[("cache-control", "max-age=60"), ("cache-tag", tags)], "page").await;
    }
    let left = || {
        let mut urls: Vec<String> = tier.list("", 100).into_iter().map(|entry| entry.url).collect();
        urls.sort();
        urls.join(" ").replace("http://shop.test", "")
    };
    let purge = |purge| async { tier.purge(purge).await.responses };
    let host = || "shop.test".to_owned();
    assert_eq!(purge(Purge::Url { tls: Some(true), host: host(), target: "/b".into() }).await, 0);
    assert_eq!(purge(Purge::Tag { app: "other".into(), tag: "red".into() }).await, 0);
    assert_eq!(purge(Purge::Tag { app: "shop".into(), tag: "re".into() }).await, 0);
    assert_eq!(left(), "/a/1 /a/2 /b /c");
    assert_eq!(purge(Purge::Prefix { host: host(), target: "/a/".into() }).await, 2);
    assert_eq!(left(), "/b /c");
    assert_eq!(purge(Purge::Tag { app: "shop".into(), tag: "blue".into() }).await, 1);
    assert_eq!(purge(Purge::Url { tls: None, host: host(), target: "/c".into() }).await, 1);
    assert_eq!((left().as_str(), tier.stats().purged, tier.stats().bytes), ("", 4, 0));
}

#[tokio::test(start_paused = true)]
async fn others_than_the_owner_ask_the_owner_and_an_owner_asks_the_app() {
    let world = World::new(3);
    assert_eq!(miss(world.tiers[0].get("/a", &[])).owner(), None);
    assert_eq!(miss(world.tiers[1].get("/a", &[])).owner(), Some(node_id(1)));
    world.cut(1);
    assert_eq!(miss(world.tiers[2].get("/b", &[])).owner(), Some(node_id(2)), "the next in the row");
    let no_headers = HeaderMap::new();
    let asked = CacheRequest {
        key: key("/c"),
        method: &Method::GET,
        headers: &no_headers,
        for_peer: true,
        default_lifetime: None,
    };
    assert_eq!(miss(world.tiers[2].look_up(asked)).owner(), None, "it was asked as the owner");
}

#[tokio::test(start_paused = true)]
async fn a_near_copy_is_as_old_as_the_owners() {
    let world = World::new(2);
    let near = &world.tiers[1];
    let answer = response(200, &[("cache-control", "max-age=60"), ("age", "50")], "page");
    fetched(miss(near.get("/a", &[])), answer).await;
    assert_eq!(hit(near.get("/a", &[])).response.age(near.now_ms()), Duration::from_secs(50));
    advance(Duration::from_secs(10)).await;
    assert_eq!(name(&near.get("/a", &[])), "miss");
}

#[tokio::test(start_paused = true)]
async fn a_purge_reaches_all_nodes() {
    let world = World::new(3);
    for tier in &world.tiers {
        store(tier, "/a", FRESH, "page").await;
    }
    let url = Purge::Url { tls: None, host: "shop.test".into(), target: "/a".into() };
    let purged = world.tiers[1].purge(url).await;
    assert_eq!((purged.responses, purged.nodes.len(), purged.missing.len()), (3, 3, 0));
    assert!(world.tiers.iter().all(|tier| tier.stats().responses == 0));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_away_forgets_before_it_uses_what_it_had() {
    let world = World::new(3);
    tokio::task::yield_now().await;
    for tier in &world.tiers {
        store(tier, "/a", FRESH, "page").await;
        store(tier, "/b", FRESH, "page").await;
    }
    world.cut(3);
    let away = &world.tiers[2];
    assert_eq!(name(&away.get("/a", &[])), "hit: Fresh", "alone it goes on");
    let url = Purge::Url { tls: None, host: "shop.test".into(), target: "/a".into() };
    assert_eq!(world.tiers[0].purge(url).await.missing, [node_id(3)]);
    world.mend(3);
    until(|| name(&away.get("/a", &[])) == "miss").await;
    assert_eq!(name(&away.get("/b", &[])), "hit: Fresh", "only what was purged");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_missed_more_purges_than_are_kept_forgets_all() {
    let world = World::new(2);
    tokio::task::yield_now().await;
    store(&world.tiers[1], "/b", FRESH, "page").await;
    world.cut(2);
    for number in 0..1_100 {
        world.tiers[0].purge(Purge::Tag { app: "shop".into(), tag: number.to_string() }).await;
    }
    assert_eq!(name(&world.tiers[1].get("/b", &[])), "hit: Fresh");
    world.mend(2);
    until(|| world.tiers[1].stats().responses == 0).await;
}

/// A purge that was lost on the way although the node was believed to be there.
#[tokio::test(start_paused = true)]
async fn a_node_that_did_not_answer_is_told_again() {
    let world = World::new(2);
    tokio::task::yield_now().await;
    store(&world.tiers[1], "/a", FRESH, "page").await;
    world.cut_unnoticed(2);
    assert_eq!(world.tiers[0].purge(Purge::All).await.missing, [node_id(2)]);
    world.mend_unnoticed(2);
    until(|| world.tiers[1].stats().responses == 0).await;
}

/// Time passes until it is so; with the clock of the test, a minute at most.
async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if is_so() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to be so");
}

#[tokio::test(start_paused = true)]
async fn what_an_unsafe_request_has_changed_is_forgotten_here_at_once_and_soon_elsewhere() {
    let world = World::new(2);
    for tier in &world.tiers {
        store(tier, "/a", FRESH, "page").await;
        store(tier, "/list", FRESH, "page").await;
    }
    let answer = headers(&[("location", "/list")]);
    world.tiers[1].note_unsafe(&key("/a"), StatusCode::NOT_FOUND, &answer);
    assert_eq!(world.tiers[1].stats().responses, 2, "nothing has changed");
    world.tiers[1].note_unsafe(&key("/a"), StatusCode::SEE_OTHER, &answer);
    assert_eq!(world.tiers[1].stats().responses, 0);
    assert_eq!(name(&world.tiers[1].get("/a", &[])), "bypass: uncacheable", "the owner may not have heard of it yet");
    until(|| world.tiers[0].stats().responses == 0).await;
    advance(Duration::from_secs(1)).await;
    assert_eq!(name(&world.tiers[1].get("/a", &[])), "miss");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_use_is_gone_without_being_asked_for() {
    let (_world, tier) = World::one();
    store(&tier, "/a", &[("cache-control", "max-age=5")], "page").await;
    assert_eq!(tier.stats().responses, 1);
    sleep(Duration::from_secs(7)).await;
    assert_eq!((tier.stats().responses, tier.stats().bytes), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_list_shows_the_most_used_first() {
    let (_world, tier) = World::one();
    store(&tier, "/a", FRESH, "page").await;
    let lines = [("cache-control", "max-age=60"), ("vary", "accept"), ("cache-tag", "red"), ("age", "3")];
    fetched(miss(tier.get("/b", &[("accept", "text/html")])), response(200, &lines, "page")).await;
    let used = hit(tier.get("/b", &[("accept", "text/html")]));
    tier.note_hits(&used.response, 9);
    let listed = tier.list("", 10);
    assert_eq!(
        listed.iter().map(|entry| (entry.url.as_str(), entry.uses)).collect::<Vec<_>>(),
        [("http://shop.test/b", 10), ("http://shop.test/a", 0)]
    );
    let first = &listed[0];
    assert_eq!((first.status, first.age, first.fresh_for_seconds), (200, Duration::from_secs(3), 57));
    assert_eq!(
        (first.tags.clone(), first.vary.clone()),
        (vec!["red".into()], vec![("accept".into(), "text/html".into())])
    );
    assert_eq!(first.owner, Some(node_id(1)));
    assert_eq!((tier.list("/a", 10).len(), tier.list("", 1).len(), tier.stats().hits), (1, 1, 10));
}

#[tokio::test(start_paused = true)]
async fn without_memory_the_cache_is_off() {
    let world = World::with(1, Config { memory_max: 0, ..Config::default() });
    assert_eq!(name(&world.tiers[0].get("/a", &[])), "bypass: off");
}

#[tokio::test(start_paused = true)]
async fn a_full_cache_stays_within_its_limit() {
    let world = World::with(1, Config { memory_max: 8 << 20, ..Config::default() });
    let tier = &world.tiers[0];
    for number in 0..200 {
        let answer = response(200, FRESH, vec![b'x'; 100_000]);
        fetched(miss(tier.get(&format!("/{number}"), &[])), answer).await;
    }
    let stats = tier.stats();
    assert!(stats.bytes <= 8 << 20 && stats.bytes > 6 << 20, "{stats:?}");
    assert_eq!(stats.evicted + stats.responses, 200);
}
