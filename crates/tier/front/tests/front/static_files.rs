use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::write::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use tokio::io::AsyncWriteExt;

use crate::stage::*;

fn site() -> Stage {
    let stage = Stage::new(vec![files("/*")]);
    stage.write("public/index.html", "<h1>hello</h1>");
    stage.write("public/a.css", "a{}");
    stage.write("public/docs/index.html", "docs");
    stage.write("public/empty/readme.txt", "text");
    stage
}

#[tokio::test]
async fn files_have_types_and_validators() {
    let stage = site();
    stage.write("public/x.js", "1");
    stage.write("public/x.svg", "<svg/>");
    stage.write("public/x.wasm", "w");
    stage.write("public/x.unknownkind", "?");
    let mut told = String::new();
    for path in ["/", "/a.css", "/x.js", "/x.svg", "/x.wasm", "/x.unknownkind", "/docs/"] {
        let reply = stage.get(path).await;
        told += &format!(
            "{path} {} {} {}\n",
            reply.status,
            reply.header("content-type").unwrap(),
            reply.header("content-length").unwrap()
        );
        assert!(
            reply.header("etag").is_some()
                && reply.header("last-modified").is_some()
                && reply.header("x-request-id").is_some()
        );
    }
    expect_test::expect![[r#"
        / 200 text/html; charset=utf-8 14
        /a.css 200 text/css; charset=utf-8 3
        /x.js 200 text/javascript; charset=utf-8 1
        /x.svg 200 image/svg+xml 6
        /x.wasm 200 application/wasm 1
        /x.unknownkind 200 application/octet-stream 1
        /docs/ 200 text/html; charset=utf-8 4
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn a_known_state_is_not_sent_again() {
    let stage = site();
    let first = stage.get("/").await;
    let etag = format!("If-None-Match: {}", first.header("etag").unwrap());
    let again = stage.get_with("/", &[&etag]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), first.header("etag"));
    let since = format!("If-Modified-Since: {}", first.header("last-modified").unwrap());
    assert_eq!(stage.get_with("/", &[&since]).await.status, 304);
    assert_eq!(stage.get_with("/", &["If-None-Match: \"other\""]).await.status, 200);
    assert_eq!(stage.get_with("/", &["If-Match: \"other\""]).await.status, 412);
}

#[tokio::test]
async fn parts_are_served_and_bad_ones_refused() {
    let stage = site();
    stage.write("public/ten.bin", "0123456789");
    let part = stage.get_with("/ten.bin", &["Range: bytes=2-4"]).await;
    assert_eq!((part.status, part.text(), part.header("content-range")), (206, "234", Some("bytes 2-4/10")));
    let outside = stage.get_with("/ten.bin", &["Range: bytes=10-"]).await;
    assert_eq!((outside.status, outside.header("content-range")), (416, Some("bytes */10")));
    let etag = part.header("etag").unwrap();
    assert_eq!(stage.get_with("/ten.bin", &["Range: bytes=-1", &format!("If-Range: {etag}")]).await.text(), "9");
    assert_eq!(stage.get_with("/ten.bin", &["Range: bytes=-1", "If-Range: \"old\""]).await.status, 200);
}

#[tokio::test]
async fn large_files_come_whole_and_in_parts() {
    let stage = site();
    let content: Vec<u8> = (0..1_500_000_u32).map(|number| (number % 251) as u8).collect();
    stage.write("public/large.bin", &content);
    assert!(stage.get("/large.bin").await.body == content);
    let part = stage.get_with("/large.bin", &["Range: bytes=100000-1000000"]).await;
    assert!(part.body == content[100_000..=1_000_000]);
}

#[tokio::test]
async fn several_parts_come_as_one_body() {
    let stage = site();
    let content: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    stage.write("public/large.bin", &content);
    let reply = stage.get_with("/large.bin", &["Range: bytes=5-9,1000-1009,-100000"]).await;
    let kind = reply.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("a boundary").to_owned();
    assert_eq!((reply.status, reply.header("content-range")), (206, None));
    assert_eq!(reply.header("content-length").unwrap().parse::<usize>().unwrap(), reply.body.len());
    let mut expected = Vec::new();
    for (first, last) in [(5, 9), (1000, 1009), (200_000, 299_999)] {
        let lead = if expected.is_empty() { "" } else { "\r\n" };
        let head = format!(
            "{lead}--{boundary}\r\ncontent-type: application/octet-stream\r\ncontent-range: bytes {first}-{last}/300000\r\n\r\n"
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(&content[first..=last]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert!(reply.body == expected, "{}", String::from_utf8_lossy(&reply.body[..200]));
}

#[tokio::test]
async fn a_compressed_sibling_is_preferred() {
    let stage = site();
    stage.write("public/app.js", "plain");
    stage.write("public/app.js.br", "brotli");
    stage.write("public/app.js.gz", "gzipped");
    let mut etags = Vec::new();
    for (accept, body, encoding) in [
        ("gzip, br", "brotli", Some("br")),
        ("gzip", "gzipped", Some("gzip")),
        ("zstd", "plain", None),
        ("br;q=0, gzip;q=0.1", "gzipped", Some("gzip")),
    ] {
        let reply = stage.get_with("/app.js", &[&format!("Accept-Encoding: {accept}")]).await;
        assert_eq!((reply.text(), reply.header("content-encoding")), (body, encoding), "{accept}");
        assert_eq!(reply.header("vary"), Some("Accept-Encoding"));
        assert_eq!(reply.header("content-type"), stage.get("/app.js").await.header("content-type"));
        etags.push(reply.header("etag").unwrap().to_owned());
    }
    assert_eq!(etags[1], etags[3]);
    assert!(etags[0] != etags[1] && etags[1] != etags[2]);
}

#[tokio::test]
async fn text_is_compressed_on_the_way_and_pictures_are_not() {
    let stage = site();
    for (name, len) in [("mid", 30_000), ("big", 300_000)] {
        let text = "ringway ".repeat(len / 8);
        stage.write(&format!("public/{name}.html"), &text);
        stage.write(&format!("public/{name}.png"), &text);
        for accept in ["gzip", "br", "zstd"] {
            let header = format!("Accept-Encoding: {accept}");
            let reply = Reply::parse(&dechunked(&stage, &format!("/{name}.html"), &header).await);
            assert_eq!(reply.header("content-encoding"), Some(accept));
            assert!(reply.header("etag").unwrap().starts_with("W/"));
            assert_eq!(decoded(accept, &reply.body).await, text.as_bytes());
            let again = stage
                .get_with(
                    &format!("/{name}.html"),
                    &[&header, &format!("If-None-Match: {}", reply.header("etag").unwrap())],
                )
                .await;
            assert_eq!(again.status, 304);
            assert_eq!(stage.get_with(&format!("/{name}.png"), &[&header]).await.header("content-encoding"), None);
        }
    }
    stage.write("public/small.html", "x".repeat(1000));
    assert_eq!(stage.get_with("/small.html", &["Accept-Encoding: gzip"]).await.header("content-encoding"), None);
}

/// By HTTP/1.0 bodies are not chunked.
async fn dechunked(stage: &Stage, path: &str, header: &str) -> Vec<u8> {
    talk(stage.address, format!("GET {path} HTTP/1.0\r\nHost: shop.localhost\r\n{header}\r\n\r\n").as_bytes()).await
}

async fn decoded(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match encoding {
        "gzip" => feed(GzipDecoder::new(&mut plain), bytes).await,
        "br" => feed(BrotliDecoder::new(&mut plain), bytes).await,
        _ => feed(ZstdDecoder::new(&mut plain), bytes).await,
    }
    plain
}

async fn feed(mut decoder: impl tokio::io::AsyncWrite + Unpin, bytes: &[u8]) {
    decoder.write_all(bytes).await.unwrap();
    decoder.shutdown().await.unwrap();
}

#[tokio::test]
async fn nothing_outside_the_root_and_nothing_hidden_is_served() {
    let stage = site();
    stage.write("secret.txt", "secret");
    stage.write("public/.env", "secret");
    stage.write("public/.well-known/security.txt", "contact");
    symlink("../secret.txt", stage.dir.join("public/out.txt")).unwrap();
    symlink("/etc/passwd", stage.dir.join("public/passwd")).unwrap();
    symlink("..", stage.dir.join("public/up")).unwrap();
    symlink("a.css", stage.dir.join("public/link.css")).unwrap();
    nix::unistd::mkfifo(&stage.dir.join("public/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut told = String::new();
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/docs/..%2f..%2fsecret.txt",
        "/a.css%00.html",
        "/out.txt",
        "/passwd",
        "/up/secret.txt",
        "/.env",
        "/%2eenv",
        "/.well-known/security.txt",
        "/link.css",
        "/pipe",
        "/a.css/",
        "/a.css/x",
        "/missing",
        "/empty/",
        "/empty",
    ] {
        let reply = stage.get(path).await;
        assert!(!reply.text().contains("secret\n") && reply.text() != "secret" && !reply.text().contains("root:"));
        told += &format!("{path} {}\n", reply.status);
    }
    expect_test::expect![[r#"
        /../secret.txt 400
        /%2e%2e/secret.txt 400
        /docs/..%2f..%2fsecret.txt 400
        /a.css%00.html 400
        /out.txt 404
        /passwd 404
        /up/secret.txt 404
        /.env 404
        /%2eenv 404
        /.well-known/security.txt 200
        /link.css 200
        /pipe 404
        /a.css/ 404
        /a.css/x 404
        /missing 404
        /empty/ 404
        /empty 404
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn a_directory_gets_its_slash() {
    let stage = site();
    let reply = stage.get("/docs?a=b").await;
    assert_eq!((reply.status, reply.header("location")), (308, Some("/docs/?a=b")));
    assert_eq!(stage.get("//docs").await.header("location"), Some("/docs/"), "never to another host");
}

#[tokio::test]
async fn only_get_and_head_are_for_files() {
    let stage = site();
    let refused = stage.ask("POST", "/", &["Content-Length: 1"], "x").await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    let head = stage.ask("HEAD", "/", &[], "").await;
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("14")));
}

#[tokio::test]
async fn routes_add_headers_and_a_lifetime() {
    let mut route = files("/*");
    route.headers.insert("x-frame-options".to_owned(), "DENY".to_owned());
    route.cache = Some(Duration::from_secs(3600));
    let stage = Stage::new(vec![route]);
    stage.write("public/a.txt", "a");
    let reply = stage.get("/a.txt").await;
    assert_eq!(
        (reply.header("x-frame-options"), reply.header("cache-control")),
        (Some("DENY"), Some("public, max-age=3600"))
    );
}

#[tokio::test]
async fn what_is_no_file_falls_through_where_the_route_says_so() {
    let mut route = files("/*");
    route.fallthrough = true;
    let stage = Stage::new(vec![route, function("/*", "tell"), files("/assets/*")]);
    stage.write("public/a.txt", "file");
    stage.write("public/d/x.txt", "file");
    assert_eq!(stage.get("/a.txt").await.text(), "file");
    for (method, path) in [("GET", "/b"), ("GET", "/d"), ("DELETE", "/a.txt"), ("GET", "/.env")] {
        assert!(
            stage.ask(method, path, &[], "").await.text().starts_with(&format!("{method} {path} ")),
            "{method} {path}"
        );
    }
    assert_eq!(stage.get("/assets/b").await.status, 404);
}

#[tokio::test]
async fn a_route_may_lead_to_one_file() {
    let to = ringway_manifest::Target::Static { dir: "public/robots.txt".to_owned() };
    let stage = Stage::new(vec![ringway_manifest::Route::new("/robots.txt".parse().unwrap(), to)]);
    stage.write("public/robots.txt", "none");
    assert_eq!(stage.get("/robots.txt").await.text(), "none");
}

#[tokio::test]
async fn a_page_of_an_earlier_release_still_gets_its_own_files() {
    let mut route = files("/*");
    route.immutable = Some(ringway_manifest::Immutable::Pattern("assets/*".to_owned()));
    let stage = Stage::new(vec![route.clone()]);
    stage.write("public/assets/app.1.js", "old");
    stage.write("public/page.html", "old");
    let mut newer = catalog(vec![route], &[]);
    let app = newer.apps.get_mut("shop").unwrap();
    let mut second = app.releases[0].clone();
    (second.number, second.files) = (2, ringway_catalog::BlobId([8; 32]));
    app.releases.push(second);
    app.current = 2;
    stage.app.by_release.lock().unwrap().insert(2, stage.dir.join("second"));
    stage.write("second/public/assets/app.2.js", "new");
    stage.control.0.send(Arc::new(newer)).unwrap();
    while stage.get("/assets/app.2.js").await.status != 200 {}
    let old = stage.get("/assets/app.1.js").await;
    assert_eq!((old.text(), old.header("cache-control")), ("old", Some("public, max-age=31536000, immutable")));
    assert_eq!(stage.get("/page.html").await.status, 404, "what may change is of this release only");
}
