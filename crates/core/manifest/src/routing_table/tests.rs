use expect_test::expect;

use crate::parse;

#[test]
fn routes_stand_in_the_order_in_which_they_are_tried_with_what_they_say() {
    let text = r#"name = "shop"
hosts = ["shop.test"]
[[route]]
path = "/"
to = "static:public"
fallthrough = true
[[route]]
path = "/*"
to = "web"
request_headers = { X-Api-Key = "s3cret" }
[[route]]
path = "/api/*"
to = "web"
methods = ["GET", "POST"]
match_headers = { X-Beta = "1" }
host = "shop.test"
timeout = "30s"
requests_per_second = 10
[[route]]
path = "/old/*"
redirect = "/new/*"
[service.web]
run = "./web"
"#;
    let table = parse("f", text).unwrap_or_else(|faults| panic!("{faults}")).manifest.routing_table();
    let mut told = format!("{} {}\n", table.app, table.hosts.join(" "));
    for row in table.rows {
        let host = row.host.unwrap_or_default();
        told += &format!(
            "{host}{} {:?} {:?} -> {}: {}\n",
            row.path,
            row.methods,
            row.headers,
            row.to,
            row.rules.join("; ")
        );
    }
    expect![[r#"
        shop shop.test shop.localhost
        shop.test/api/* ["GET", "POST"] ["x-beta=1"] -> web: timeout 30s; rate 10/s, burst 10, per client
        /old/* [] [] -> 307 /new/*: 
        /* [] [] -> static:public: fallthrough true
        /* [] [] -> web: request header X-Api-Key (hidden)
    "#]]
    .assert_eq(&told);
}
