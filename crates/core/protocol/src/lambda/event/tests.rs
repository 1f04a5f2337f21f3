use expect_test::expect;
use serde_json::Value;

use super::*;

fn event(query: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Value {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let request = EventRequest {
        method: "POST",
        path: "/price/a%20b",
        query,
        protocol: "HTTP/1.1",
        headers: &map,
        body,
        client: "192.0.2.7".parse().unwrap(),
        host: "shop.example.org",
        request_id: "r-1",
        now_ms: 1_583_348_638_390,
    };
    serde_json::from_slice(&http_event(&request)).unwrap()
}

#[test]
fn a_request_becomes_an_event_of_payload_format_2() {
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("cookie", "a=1; b=2"),
        ("user-agent", "curl"),
    ];
    expect![[r#"
        {
          "body": "{\"n\":1}",
          "cookies": [
            "a=1",
            "b=2"
          ],
          "headers": {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "curl",
            "x-a": "1,2"
          },
          "isBase64Encoded": false,
          "queryStringParameters": {
            "q": "x y,z",
            "r": ""
          },
          "rawPath": "/price/a%20b",
          "rawQueryString": "q=x+y&q=z&r",
          "requestContext": {
            "accountId": "anonymous",
            "apiId": "ringway",
            "domainName": "shop.example.org",
            "domainPrefix": "shop",
            "http": {
              "method": "POST",
              "path": "/price/a%20b",
              "protocol": "HTTP/1.1",
              "sourceIp": "192.0.2.7",
              "userAgent": "curl"
            },
            "requestId": "r-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390
          },
          "routeKey": "$default",
          "version": "2.0"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&event("q=x+y&q=z&r", &headers, b"{\"n\":1}")).unwrap());
}

#[test]
fn binary_bodies_are_base64_and_empty_ones_absent() {
    let binary = event("", &[("content-type", "application/json")], b"\xff\x00");
    assert_eq!((binary["body"].as_str(), binary["isBase64Encoded"].as_bool()), (Some("/wA="), Some(true)));
    let image = event("", &[("content-type", "image/svg")], b"text");
    assert_eq!(image["body"], "dGV4dA==");
    let packed = event("", &[("content-type", "text/plain"), ("content-encoding", "gzip")], b"text");
    assert_eq!(packed["isBase64Encoded"], true);
    let empty = event("", &[], b"");
    assert!(empty.get("body").is_none() && empty.get("cookies").is_none());
    assert_eq!(event("", &[], b"plain")["body"], "plain");
}

#[test]
fn times_are_those_of_the_calendar() {
    assert_eq!(common_log_time(0), "01/Jan/1970:00:00:00 +0000");
    assert_eq!(common_log_time(951_827_696_000), "29/Feb/2000:12:34:56 +0000");
    assert_eq!(common_log_time(1_735_689_599_000), "31/Dec/2024:23:59:59 +0000");
}

#[test]
fn a_trace_is_named_as_x_ray_does() {
    let trace = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    assert_eq!(trace_header(&trace), "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1");
}
