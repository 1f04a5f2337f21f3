//! The front end over real sockets: files, protocols, tricks.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use ringway_testkit::{Cluster, get, http, request, run};

use crate::{cluster, deploy, served};

fn site() -> Cluster {
    let cluster = cluster(1);
    cluster.scratch.write("site/public/index.html", "<h1>hello</h1>");
    cluster.scratch.write("site/public/long.txt", "0123456789".repeat(1000));
    cluster.scratch.write("site/public/.secret", "no");
    cluster.scratch.write("outside.txt", "no");
    cluster.scratch.write_program(
        "site/cgi-bin/take",
        "#!/bin/sh\ncat >/dev/null\nprintf 'Content-Type: text/plain\\r\\n\\r\\ntaken'\n",
    );
    deploy(&cluster.nodes[0], &cluster.scratch.join("site"));
    served(&cluster.nodes[0], "site.localhost", "/");
    cluster
}

#[test]
fn files_have_types_validators_ranges_and_compression() {
    let cluster = site();
    let address = cluster.nodes[0].http();
    let page = get(address, "site.localhost", "/").expect("the front end answers");
    assert_eq!(page.text(), "<h1>hello</h1>");
    assert!(page.headers["content-type"].starts_with("text/html"));
    let etag = page.headers["etag"].clone();
    let again = request(address, "GET", "site.localhost", "/", &[("If-None-Match", &etag)], b"")
        .expect("the front end answers");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let date = page.headers["last-modified"].clone();
    let unchanged = request(address, "GET", "site.localhost", "/", &[("If-Modified-Since", &date)], b"")
        .expect("the front end answers");
    assert_eq!(unchanged.status, 304);
    let part = request(address, "GET", "site.localhost", "/long.txt", &[("Range", "bytes=5-14")], b"")
        .expect("the front end answers");
    assert_eq!((part.status, part.text().as_str()), (206, "5678901234"));
    assert_eq!(part.headers["content-range"], "bytes 5-14/10000");
    let beyond = request(address, "GET", "site.localhost", "/long.txt", &[("Range", "bytes=20000-")], b"")
        .expect("the front end answers");
    assert_eq!(beyond.status, 416);
    let small = request(address, "GET", "site.localhost", "/long.txt", &[("Accept-Encoding", "gzip")], b"")
        .expect("the front end answers");
    assert_eq!(small.headers["content-encoding"], "gzip");
    assert!(small.body.len() < 1000, "{}", small.body.len());
    let head = request(address, "HEAD", "site.localhost", "/long.txt", &[], b"").expect("the front end answers");
    assert_eq!((head.status, head.body.len(), head.headers["content-length"].as_str()), (200, 0, "10000"));
}

#[test]
fn nothing_outside_of_the_directory_is_served() {
    let cluster = site();
    let address = cluster.nodes[0].http();
    for path in [
        "/../outside.txt",
        "/..%2foutside.txt",
        "/%2e%2e/outside.txt",
        "/a/../../outside.txt",
        "/.secret",
        "/x%00.html",
        "//etc/passwd",
        "/..%5coutside.txt",
    ] {
        let answer = get(address, "site.localhost", path).expect("the front end answers");
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.text().contains("no\n") && answer.text() != "no", "{path}");
    }
    assert_eq!(get(address, "site.localhost", "/x%00.html").expect("the front end answers").status, 400);
}

#[test]
fn curl_speaks_http_1_1_and_2_plain_and_over_tls() {
    let cluster = site();
    let (plain, tls) =
        (format!("http://{}/", cluster.nodes[0].http()), format!("https://{}/", cluster.nodes[0].https()));
    let version = |arguments: &[&str]| {
        run("curl", &[&["-sk", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"], arguments].concat()).ok()
    };
    assert_eq!(version(&["--http1.1", &plain]), "1.1 200");
    assert_eq!(version(&["--http2-prior-knowledge", &plain]), "2 200");
    assert_eq!(version(&["--http1.1", &tls]), "1.1 200");
    assert_eq!(version(&["--http2", &tls]), "2 200");
}

#[test]
fn ambiguous_requests_are_refused_and_nothing_is_smuggled() {
    let cluster = site();
    let address = cluster.nodes[0].http();
    let tricks: [(&str, &[u8]); 6] = [
        ("two lengths", b"POST / HTTP/1.1\r\nHost: site.localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhelloX"),
        ("a length and chunks", b"POST / HTTP/1.1\r\nHost: site.localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("folded header", b"GET / HTTP/1.1\r\nHost: site.localhost\r\nX-A: b\r\n c\r\nConnection: close\r\n\r\n"),
        ("bare CR", b"GET / HTTP/1.1\r\nHost: site.localhost\r\nX-A: b\rc\r\nConnection: close\r\n\r\n"),
        ("two hosts", b"GET / HTTP/1.1\r\nHost: site.localhost\r\nHost: other\r\nConnection: close\r\n\r\n"),
        ("no host", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
    ];
    for (name, bytes) in tricks {
        let answer = http::raw(address, bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
    }
    served(&cluster.nodes[0], "site.localhost", "/");
}

#[test]
fn a_body_of_ten_gigabytes_is_refused_before_it_is_sent() {
    let cluster = site();
    let mut stream = TcpStream::connect(cluster.nodes[0].http()).expect("the front end listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket takes a timeout");
    stream
        .write_all(b"POST /cgi-bin/take HTTP/1.1\r\nHost: site.localhost\r\nContent-Length: 10000000000\r\n\r\nbegin")
        .expect("the front end reads");
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).expect("the front end answers");
    let text = String::from_utf8_lossy(&answer[..length]);
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
}

#[test]
fn wrk_is_answered_without_an_error() {
    let cluster = site();
    let said = run("wrk", &["-t1", "-c32", "-d2s", &format!("http://{}/", cluster.nodes[0].http())]).ok();
    assert!(said.contains("Requests/sec:"), "{said}");
    assert!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "{said}");
}
