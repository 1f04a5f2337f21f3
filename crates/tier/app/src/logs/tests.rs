use super::*;

fn source() -> Source {
    Source { app: "shop".into(), unit: "web".into(), instance: "shop/web#1".into() }
}

#[test]
fn the_oldest_lines_of_an_app_are_forgotten() {
    let logs = Logs::default();
    for number in 0..LINES_MAX + 3 {
        logs.add(&source(), LogStream::Out, &number.to_string());
    }
    let recent = logs.recent("shop", usize::MAX);
    assert_eq!((recent.len(), recent[0].text.as_str()), (LINES_MAX, "3"));
    assert_eq!(logs.recent("shop", 1)[0].text, (LINES_MAX + 2).to_string());
    assert!(logs.recent("other", 5).is_empty());
    logs.retain(|_| false);
    assert!(logs.recent("shop", 5).is_empty());
}

#[test]
fn few_long_lines_are_bounded_by_their_bytes() {
    let logs = Logs::default();
    let long = "x".repeat(LINE_BYTES_MAX);
    for _ in 0..1_000 {
        logs.add(&source(), LogStream::Err, &long);
    }
    assert_eq!(logs.recent("shop", usize::MAX).len(), BYTES_MAX / LINE_BYTES_MAX);
}

#[tokio::test]
async fn a_follower_sees_lines_as_they_come() {
    let logs = Arc::new(Logs::default());
    let mut follower = logs.follow();
    Arc::clone(&logs).pump(source(), LogStream::Out, &b"hello\nworld"[..]).await;
    assert_eq!(follower.recv().await.unwrap().text, "hello");
    assert_eq!(follower.recv().await.unwrap().text, "world");
}
