//! The shop's price function, which is also the component that people see first.

use std::path::Path;

use crate::host::Host;

async fn shop() -> Host {
    Host::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/shop/price.wasm")).await
}

async fn quote(host: &Host, query: &str) -> (u16, serde_json::Value) {
    let (status, body) = host.get_text(&format!("/price?{query}")).await;
    (status, serde_json::from_str(&body).expect("the answer is JSON"))
}

#[tokio::test]
async fn three_mugs_are_ten_percent_off() {
    let (status, body) = quote(&shop().await, "sku=mug&qty=3").await;
    let expected = serde_json::json!({
        "sku": "mug", "qty": 3, "unit_cents": 1250, "discount_percent": 10, "total_cents": 3375
    });
    assert_eq!((status, body), (200, expected));
}

#[tokio::test]
async fn the_discount_goes_by_quantity() {
    let shop = shop().await;
    let expected = [
        ("sku=tee", 0, 2400),
        ("sku=poster&qty=2", 0, 3600),
        ("sku=sticker&qty=9", 10, 2430),
        ("sku=tote&qty=10", 20, 12800),
        ("qty=1000&sku=cap", 20, 1_680_000),
    ];
    for (query, percent, total) in expected {
        let (status, body) = quote(&shop, query).await;
        assert_eq!((status, &body["discount_percent"], &body["total_cents"]), (200, &percent.into(), &total.into()));
    }
}

#[tokio::test]
async fn bad_questions_are_told_what_is_wrong() {
    let shop = shop().await;
    for query in ["", "qty=3", "sku=sofa&qty=1", "sku=mug%22"] {
        let (status, body) = quote(&shop, query).await;
        assert_eq!(status, 400);
        assert_eq!(body["error"], "unknown sku, choose one of mug, tee, poster, sticker, tote, cap");
    }
    for query in ["sku=mug&qty=0", "sku=mug&qty=-1", "sku=mug&qty=1001", "sku=mug&qty=many", "sku=mug&qty="] {
        let (status, body) = quote(&shop, query).await;
        assert_eq!(status, 400);
        assert_eq!(body["error"], "qty must be a whole number from 1 to 1000");
    }
}

#[tokio::test]
async fn only_get_and_only_price_are_served() {
    let shop = shop().await;
    assert_eq!(shop.get_text("/").await.0, 404);
    let request = http::Request::post("http://shop.test/price?sku=mug").body(String::new()).expect("request is valid");
    assert_eq!(shop.send(request).await.expect("component answers").status(), 405);
}
