//! Components that end badly, each in its own way.

use std::time::Duration;

use http_body_util::BodyExt;
use ringway_wasm::{Error, Fault};

use crate::host::{Host, MEMORY, MEMORY_MAX};

/// Short, because these tests wait for it.
const SOON: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_trap_is_told_with_its_cause() {
    let mut host = Host::new().await;
    let error = host.get("/trap").await.expect_err("component traps");
    assert!(matches!(&error, Error::Trap(why) if why.contains("unreachable")), "{error}");
    assert_eq!(error.fault(), Fault::App);
    let (usage, reported) = host.ended().await;
    assert_eq!(reported, Some(error.to_string()));
    assert!(usage.fuel > 0, "a failed request is metered too");
}

#[tokio::test]
async fn an_endless_loop_is_stopped_at_its_deadline() {
    let mut host = Host::new().await;
    host.limits.timeout = SOON;
    let error = host.get("/loop").await.expect_err("component is stopped");
    assert!(matches!(error, Error::Timeout(SOON)), "{error}");
    let (usage, _) = host.ended().await;
    assert!(usage.wall >= SOON && usage.fuel > 1_000_000, "{usage:?}");
}

/// On one thread: the loop has to let the others have their turn.
#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop_does_not_keep_others_waiting() {
    let mut host = Host::new().await;
    host.limits.timeout = Duration::from_secs(30);
    tokio::select! {
        biased;
        looping = host.get("/loop") => panic!("the loop ended: {:?}", looping.err()),
        answer = host.get_text("/hello") => assert_eq!(answer.0, 200),
    }
}

#[tokio::test]
async fn too_much_memory_is_refused_and_named() {
    let mut host = Host::new().await;
    let error = host.get("/eat").await.expect_err("component gives up");
    assert!(matches!(error, Error::OutOfMemory { limit: MEMORY }), "{error}");
    let (usage, _) = host.ended().await;
    assert!(usage.memory_peak > MEMORY / 2 && usage.memory_peak <= MEMORY, "{usage:?}");
}

#[tokio::test]
async fn the_engines_limit_holds_for_a_request_that_may_take_more() {
    let mut host = Host::new().await;
    host.limits.memory = u64::MAX;
    let error = host.get("/eat").await.expect_err("component gives up");
    assert!(matches!(error, Error::OutOfMemory { limit: MEMORY_MAX }), "{error}");
}

#[tokio::test]
async fn a_component_larger_than_its_limit_does_not_start() {
    let mut host = Host::new().await;
    host.limits.memory = 64 * 1024;
    let error = host.get("/hello").await.expect_err("component does not start");
    assert!(matches!(error, Error::OutOfMemory { limit: 65536 }), "{error}");
}

#[tokio::test]
async fn a_component_that_says_nothing_is_told_apart() {
    let host = Host::new().await;
    let error = host.get("/silent").await.expect_err("there is no answer");
    assert!(matches!(error, Error::NoResponse), "{error}");
}

#[tokio::test]
async fn half_a_response_is_not_taken_for_a_whole_one() {
    let mut host = Host::new().await;
    let mut body = host.get("/late-trap").await.expect("headers come").into_body();
    let first = body.frame().await.expect("a piece comes").expect("it is well");
    assert_eq!(first.into_data().expect("frame is data"), "so far so good\n");
    let error = body.frame().await.expect("the body does not just end").expect_err("it breaks off");
    assert!(error.to_string().contains("trapped"), "{error}");
    assert!(host.ended().await.1.is_some_and(|reported| reported.contains("trapped")));
}

#[tokio::test]
async fn the_deadline_covers_the_body_too() {
    let mut host = Host::new().await;
    host.limits.timeout = SOON;
    let response = host.get("/late-loop").await.expect("headers come");
    let error = response.into_body().collect().await.expect_err("the body breaks off");
    assert!(error.to_string().contains("longer than 300ms"), "{error}");
}

#[tokio::test]
async fn a_client_that_goes_away_stops_the_instance() {
    let mut host = Host::new().await;
    tokio::select! {
        biased;
        looping = host.get("/loop") => panic!("the loop ended: {:?}", looping.err()),
        answer = host.get_text("/hello") => assert_eq!(answer.0, 200),
    }
    assert_eq!(host.ended().await.1, None);
    assert_eq!(host.ended().await.1.as_deref(), Some("request was cancelled"));
}

#[tokio::test]
async fn a_full_pool_is_said_to_be_busy() {
    let mut host = Host::new().await;
    let patient = host.limits.clone();
    host.limits.timeout = SOON;
    let loops = futures_util::future::join_all((0..4).map(|_| host.get_within("/loop", patient.clone())));
    tokio::select! {
        biased;
        _ = loops => panic!("the loops ended"),
        hello = host.get("/hello") => {
            let error = hello.expect_err("there is no room");
            assert!(matches!(error, Error::Busy(SOON)) && error.is_safe_to_retry(), "{error}");
        }
    }
}

#[tokio::test]
async fn draining_stops_what_does_not_stop_by_itself() {
    let host = Host::new().await;
    let drain = async {
        while host.engine.running() == 0 {
            tokio::task::yield_now().await;
        }
        host.engine.drain(SOON).await;
    };
    let (looping, ()) = tokio::join!(host.get("/loop"), drain);
    assert!(matches!(looping, Err(Error::Cancelled)));
    assert_eq!(host.engine.running(), 0);
    assert!(matches!(host.get("/hello").await, Err(Error::Cancelled)));
}
