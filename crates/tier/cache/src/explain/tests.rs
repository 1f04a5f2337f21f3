use http::Method;
use ringway_ports::{Answered, HttpCache as _, Looked};
use tokio::time::advance;

use super::*;
use crate::CacheTier;
use crate::testing::{World, headers, key, response, text};

async fn store(tier: &CacheTier, lines: &[(&'static str, &str)]) {
    let Looked::Miss(fetch) = tier.get("/a", &[]) else { panic!("it is stored already") };
    let Answered::Response(answer, true) = fetch.answered(response(200, lines, "page")) else { panic!("not stored") };
    text(answer.into_body()).await;
}

fn why(tier: &CacheTier, method: &Method, lines: &[(&'static str, &str)]) -> String {
    let headers = headers(lines);
    let default_lifetime = Some(Duration::from_secs(10));
    let request = CacheRequest { key: key("/a"), method, headers: &headers, for_peer: false, default_lifetime };
    let Decision { result, because } = tier.explain(request);
    format!("{result} <- {}", because.join(" | "))
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_a_request_is_said_with_why_and_changes_nothing() {
    let world = World::new(2);
    let (tier, other) = (&world.tiers[0], &world.tiers[1]);
    let mut text = String::new();
    let mut note = |line: String| text += &format!("{line}\n");
    note(why(tier, &Method::GET, &[]));
    note(why(other, &Method::GET, &[]));
    note(why(tier, &Method::POST, &[]));
    note(why(tier, &Method::GET, &[("cache-control", "only-if-cached")]));
    let lines = [("cache-control", "max-age=9, stale-while-revalidate=5"), ("etag", "\"1\""), ("vary", "accept")];
    store(tier, &lines).await;
    advance(Duration::from_secs(3)).await;
    note(why(tier, &Method::GET, &[]));
    note(why(tier, &Method::GET, &[("accept", "x")]));
    note(why(tier, &Method::GET, &[("cache-control", "no-cache")]));
    advance(Duration::from_secs(8)).await;
    note(why(tier, &Method::GET, &[]));
    advance(Duration::from_secs(8)).await;
    note(why(tier, &Method::GET, &[]));
    expect_test::expect![[r#"
        miss <- nothing is stored for it on this node | an answer without a lifetime of its own would be good for 10s | this node owns the address: it asks the app
        miss <- nothing is stored for it on this node | an answer without a lifetime of its own would be good for 10s | node n1 owns the address: this one would ask it
        bypass <- only GET and HEAD are answered from the cache
        504 <- nothing is stored for it on this node | the request says only-if-cached
        hit <- a 200 of 3 s is stored, fresh for 6 s more | it is the variant for no accept | this node owns the address: it asks the app
        miss <- nothing is stored for it on this node | an answer without a lifetime of its own would be good for 10s | this node owns the address: it asks the app
        miss: the app is asked whether it is still good <- a 200 of 3 s is stored, fresh for 6 s more | it is the variant for no accept | the request says no-cache | this node owns the address: it asks the app
        hit, stale: it is revalidated meanwhile <- a 200 of 11 s is stored, stale for 2 s | it is the variant for no accept | this node owns the address: it asks the app
        miss: the app is asked whether it is still good <- a 200 of 19 s is stored, stale for 10 s | it is the variant for no accept | nothing allows to use it stale | this node owns the address: it asks the app
    "#]].assert_eq(&text);
    assert_eq!((tier.stats().misses, tier.stats().hits), (1, 0));
}
