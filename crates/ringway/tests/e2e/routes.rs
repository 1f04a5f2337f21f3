//! Routes, and what the command line says of them: `plan`, `why`, `ca`.

use ringway_testkit::{Cluster, get, request, run};

use crate::{cluster, deploy, served};

const MANIFEST: &str = r#"
name = "site"
hosts = ["site.test"]
[[route]]
path = "/"
to = "static:public"
immutable = "assets/*"
headers = { X-Site = "1" }
[[route]]
path = "/cgi/*"
to = "cgi:cgi-bin"
methods = ["GET"]
[[route]]
path = "/old/*"
redirect = "/assets/*"
status = 301
[[route]]
path = "/safe/*"
to = "cgi:cgi-bin"
https = true
"#;

fn site() -> Cluster {
    let cluster = cluster(1);
    cluster.scratch.write("site/ringway.toml", MANIFEST);
    cluster.scratch.write("site/public/index.html", "<h1>hello</h1>");
    cluster.scratch.write("site/public/assets/a.js", "a()");
    let script = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\ntaken'\n";
    cluster.scratch.write_program("site/cgi-bin/take", script);
    deploy(&cluster.nodes[0], &cluster.scratch.join("site"));
    served(&cluster.nodes[0], "site.localhost", "/");
    cluster
}

#[test]
fn requests_are_sent_elsewhere_refused_and_answered_as_their_routes_say() {
    let cluster = site();
    let node = &cluster.nodes[0];
    let moved = get(node.http(), "site.localhost", "/old/a.js?x=1").expect("the front end answers");
    assert_eq!((moved.status, moved.headers["location"].as_str()), (301, "/assets/a.js?x=1"));
    let safe = get(node.http(), "site.test", "/safe/take").expect("the front end answers");
    let wanted = format!("https://site.test:{}/safe/take", node.https().port());
    assert_eq!((safe.status, safe.headers["location"].as_str()), (308, wanted.as_str()));
    assert_eq!(served(node, "site.localhost", "/cgi/take").text(), "taken");
    let asset = served(node, "site.localhost", "/assets/a.js");
    assert!(asset.headers["cache-control"].contains("immutable"), "{:?}", asset.headers);
    assert_eq!(asset.headers["x-site"], "1");
    let page = served(node, "site.localhost", "/");
    assert!(!page.headers.contains_key("cache-control"), "{:?}", page.headers);
}

#[test]
fn the_routing_table_is_shown_of_a_directory_and_of_what_is_deployed() {
    let cluster = site();
    let node = &cluster.nodes[0];
    let deployed = node.json(&["plan", "--app", "site"]);
    let paths = |table: &serde_json::Value| -> Vec<String> {
        let rows = table["rows"].as_array().expect("it has rows").iter();
        rows.map(|row| row["path"].as_str().expect("a path is text").to_owned()).collect()
    };
    assert_eq!(paths(&deployed[0]), ["/safe/*", "/cgi/*", "/old/*", "/*"]);
    assert_eq!(paths(&node.json(&["plan", "site"])["routing"]), paths(&deployed[0]));
    let said = node.cli(&["plan", "--all"]).ok();
    assert!(said.contains("301 /assets/*") && said.contains("immutable assets/*"), "{said}");
    assert!(node.cli(&["plan", "--app", "blog"]).fails().contains("there is no app blog"));
}

#[test]
fn why_tells_the_way_of_a_request_without_taking_it() {
    let cluster = site();
    let node = &cluster.nodes[0];
    let told = node.json(&["why", "http://site.test/cgi/take"]);
    assert_eq!(told["app"]["result"], "site");
    assert_eq!(told["route"]["result"], "GET /cgi/* -> cgi:cgi-bin");
    let redirect = node.json(&["why", "site.localhost/old/a.js"]);
    assert_eq!(redirect["answer"]["result"], "301 /assets/a.js");
    let post = node.cli(&["why", "http://site.localhost/cgi/take", "-X", "POST", "-H", "X-A: 1"]).ok();
    assert!(post.contains("is for GET only") && post.contains("/* -> static:public"), "{post}");
    assert!(node.cli(&["why", "ftp://site.test/"]).fails().contains("http or https"));
    let counted = request(node.http(), "GET", "site.localhost", "/", &[], b"").expect("the front end answers");
    assert_eq!(counted.status, 200);
}

#[test]
fn who_trusts_the_local_authority_gets_in_by_https() {
    let cluster = site();
    let node = &cluster.nodes[0];
    let data = node.data.display().to_string();
    let pem = node.cli(&["ca", "--pem"]).ok();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
    assert!(node.cli(&["ca"]).ok().contains("curl --cacert"), "it says how");
    let (file, address) = (format!("{data}/tls/ca.pem"), node.https());
    let url = format!("https://site.localhost:{}/", address.port());
    let resolve = format!("site.localhost:{}:{}", address.port(), address.ip());
    let page = run("curl", &["-sS", "--cacert", &file, "--resolve", &resolve, &url]).ok();
    assert_eq!(page, "<h1>hello</h1>");
    run("curl", &["-sS", "--resolve", &resolve, &url]).fails();
}
