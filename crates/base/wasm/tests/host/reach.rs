//! What a component can reach: its environment and its log, nothing else.

use ringway_wasm::Stream;

use crate::host::Host;

#[tokio::test]
async fn the_environment_is_what_was_given() {
    let mut host = Host::new().await;
    assert_eq!(host.get_text("/env").await.1, "");
    host.limits.env = vec![("PRICE_LIST".to_owned(), "winter".to_owned())];
    assert_eq!(host.get_text("/env").await.1, "PRICE_LIST=winter\n");
}

#[tokio::test]
async fn both_streams_come_as_lines() {
    let mut host = Host::new().await;
    host.get_text("/log?2").await;
    host.ended().await;
    let lines = host.watch.lines();
    let expected =
        [(Stream::Stdout, "line 1"), (Stream::Stdout, "line 2"), (Stream::Stderr, "a complaint without a line end")];
    assert_eq!(lines, expected.map(|(stream, line)| (stream, line.to_owned())));
}

#[tokio::test]
async fn a_flood_of_lines_is_cut_off() {
    let mut host = Host::new().await;
    host.get_text("/log?50000").await;
    host.ended().await;
    let lines = host.watch.lines();
    let bytes: usize = lines.iter().map(|(_, line)| line.len() + 1).sum();
    assert!(bytes < 300_000, "{bytes}");
    assert_eq!(lines.iter().filter(|(_, line)| line.contains("dropped")).count(), 1);
}

#[tokio::test]
async fn a_request_to_the_outside_is_denied() {
    let host = Host::new().await;
    assert_eq!(host.get_text("/fetch").await.1, "ErrorCode::HttpRequestDenied\n");
}
