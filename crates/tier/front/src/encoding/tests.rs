use expect_test::expect;

use super::*;

#[test]
fn the_client_chooses_and_we_break_ties() {
    let wishes = [
        "gzip, deflate, br, zstd",
        "gzip",
        "*",
        "*;q=0.1, br;q=0",
        "br;q=0.5, gzip;q=0.9",
        "identity",
        "",
        "GZIP;Q=1",
        "br;q=x",
    ];
    let told: String = wishes
        .iter()
        .map(|wish| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(wish));
            let accepted = Accepted::of(&headers);
            format!("{wish}: {:?} {:?}\n", accepted.ranked(STORED).collect::<Vec<_>>(), accepted.ranked(LIVE).next())
        })
        .collect();
    expect![[r#"
        gzip, deflate, br, zstd: [Brotli, Zstd, Gzip] Some(Zstd)
        gzip: [Gzip] Some(Gzip)
        *: [Brotli, Zstd, Gzip] Some(Zstd)
        *;q=0.1, br;q=0: [Zstd, Gzip] Some(Zstd)
        br;q=0.5, gzip;q=0.9: [Gzip, Brotli] Some(Gzip)
        identity: [] None
        : [] None
        GZIP;Q=1: [Gzip] Some(Gzip)
        br;q=x: [] None
    "#]]
    .assert_eq(&told);
}

#[test]
fn text_is_compressible_and_pictures_are_not() {
    let yes =
        ["text/html; charset=utf-8", "application/json", "image/svg+xml", "application/ld+json", "application/wasm"];
    let no = ["image/png", "application/zip", "video/mp4", "text/event-stream", "application/octet-stream", "nonsense"];
    assert!(yes.iter().all(|kind| is_compressible(&HeaderValue::from_static(kind))));
    assert!(!no.iter().any(|kind| is_compressible(&HeaderValue::from_static(kind))));
}
