use super::*;

fn all() -> KvPattern {
    KvPattern::Glob(Bytes::from_static(b"*"))
}

fn keys(told: &KvChanges) -> Vec<String> {
    told.changes.iter().map(|change| format!("{} {}", change.event, String::from_utf8_lossy(&change.key))).collect()
}

fn note(feed: &ChangeFeed, keys: &[&'static str]) {
    feed.note(keys.iter().map(|key| (Bytes::from_static(key.as_bytes()), "SET")), 5);
}

async fn ask(feed: &ChangeFeed, from: Option<ChangesFrom>, now_ms: u64) -> KvChanges {
    feed.changes(&all(), from, Duration::ZERO, now_ms).await
}

#[tokio::test]
async fn what_comes_after_the_first_question_is_told_once() {
    let feed = ChangeFeed::default();
    assert!(!feed.is_watched(1000));
    let first = ask(&feed, None, 1000).await;
    assert!(feed.is_watched(1000) && first.changes.is_empty());
    note(&feed, &["a", "b"]);
    let told = ask(&feed, Some(first.next), 1001).await;
    assert_eq!(keys(&told), ["set a", "set b"]);
    assert!(ask(&feed, Some(told.next), 1002).await.changes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_waits_for_a_change_that_matches_and_no_longer_than_it_says() {
    let feed = ChangeFeed::default();
    let from = ask(&feed, None, 1000).await.next;
    let wanted = KvPattern::Key(Bytes::from_static(b"mine"));
    let waiting = feed.changes(&wanted, Some(from), Duration::from_secs(5), 1000);
    let changing = async {
        note(&feed, &["other"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        note(&feed, &["mine"]);
    };
    let began = tokio::time::Instant::now();
    let (told, ()) = tokio::join!(waiting, changing);
    assert_eq!((keys(&told), began.elapsed()), (vec!["set mine".to_owned()], Duration::from_secs(1)));
    let none = feed.changes(&wanted, Some(told.next), Duration::from_secs(5), 1000).await;
    assert_eq!((none.changes.len(), began.elapsed()), (0, Duration::from_secs(6)));
}

#[tokio::test]
async fn who_is_too_slow_is_told_how_much_is_missing() {
    let feed = ChangeFeed::default();
    let from = ask(&feed, None, 1000).await.next;
    (0..KEPT_MAX + 10).for_each(|_| note(&feed, &["k"]));
    let told = ask(&feed, Some(from), 1001).await;
    assert_eq!((told.lost, told.changes.len()), (10, TOLD_MAX));
    let more = ask(&feed, Some(told.next), 1002).await;
    assert_eq!((more.lost, more.changes.len()), (0, TOLD_MAX));
}

#[tokio::test]
async fn keys_that_are_kept_are_bounded_in_bytes() {
    let feed = ChangeFeed::default();
    let from = ask(&feed, None, 1000).await.next;
    let long = Bytes::from(vec![b'x'; 60_000]);
    (0..100).for_each(|_| feed.note(std::iter::once((long.clone(), "SET")), 5));
    assert!(feed.lock().bytes <= KEPT_BYTES_MAX);
    let told = ask(&feed, Some(from), 1001).await;
    assert_eq!(told.lost as usize + told.changes.len(), 100);
}

#[tokio::test]
async fn a_feed_that_nobody_asked_for_a_while_begins_anew() {
    let feed = ChangeFeed::default();
    let from = ask(&feed, None, 1000).await.next;
    note(&feed, &["a"]);
    assert!(!feed.is_watched(1000 + WATCHED_MS));
    let told = ask(&feed, Some(from), 1000 + WATCHED_MS).await;
    assert!(told.changes.is_empty() && told.next.run != from.run);
}
