//! The example app as a shopper would use it, on three nodes, with one of them killed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ringway_testkit::{Answer, request};

use crate::{cluster, root, served};

const HOST: &str = "shop.localhost";

/// A browser with its cookies.
#[derive(Default)]
struct Shopper {
    cookies: BTreeMap<String, String>,
}

impl Shopper {
    fn send(&mut self, address: SocketAddr, method: &str, path: &str, json: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let headers = [("Content-Type", "application/json"), ("Cookie", cookies.as_str())];
        let answer = request(address, method, HOST, path, &headers, json.as_bytes()).expect("the front end answers");
        if let Some((name, value)) =
            answer.headers.get("set-cookie").and_then(|cookie| cookie.split(';').next()?.split_once('='))
        {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

#[test]
fn a_shopper_fills_a_cart_on_one_node_loses_that_node_and_checks_out_on_another() {
    let mut cluster = cluster(3);
    let shop = root().join("examples/shop");
    cluster.nodes[0].cli(&["deploy", &shop.display().to_string()]).ok();
    for node in &cluster.nodes {
        assert!(served(node, HOST, "/").text().contains("<html"), "{}", node.name);
    }
    let products = served(&cluster.nodes[1], HOST, "/api/products").json();
    assert!(products.to_string().contains("mug"), "{products}");
    let mut shopper = Shopper::default();
    let added = shopper.send(cluster.nodes[2].http(), "POST", "/api/cart/add", r#"{"sku":"mug","qty":3}"#);
    assert_eq!(added.status, 200, "{}", added.text());
    let cart = shopper.send(cluster.nodes[0].http(), "GET", "/api/cart", "");
    assert!(cart.text().contains("mug"), "{}", cart.text());
    cluster.nodes[2].kill();
    let price = served(&cluster.nodes[1], HOST, "/price?sku=mug&qty=3").json();
    assert_eq!(price["total_cents"], 3375);
    let address = cluster.nodes[0].http();
    let order = ringway_testkit::wait_for("the checkout to pass", || {
        let answer = shopper.send(address, "POST", "/api/checkout", r#"{"email":"ada@example.org"}"#);
        if answer.status == 200 { Ok(answer.json()) } else { Err(format!("{}: {}", answer.status, answer.text())) }
    });
    assert!(order["order"].is_number(), "{order}");
    let receipt = order["receipt"].as_str().expect("the receipt is text");
    assert!(receipt.contains("33.75"), "{receipt}");
    let entry = request(
        cluster.nodes[1].http(),
        "POST",
        HOST,
        "/guestbook",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        b"name=Ada&text=Lovely+%3Cshop%3E",
    )
    .expect("the front end answers");
    assert!([200, 201, 303].contains(&entry.status), "{}: {}", entry.status, entry.text());
    let book = request(cluster.nodes[0].http(), "GET", HOST, "/guestbook", &[("Accept", "text/html")], b"")
        .expect("the front end answers");
    assert!(book.text().contains("Ada"), "{}", book.text());
    assert!(!book.text().contains("<shop>"), "what people write is escaped");
}

#[test]
fn the_shop_has_at_most_ninety_lines_of_manifest() {
    let text = std::fs::read_to_string(root().join("examples/shop/ringway.toml")).expect("the example is there");
    assert!(text.lines().count() <= 90);
}
