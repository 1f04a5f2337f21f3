use expect_test::expect;

use super::*;

#[test]
fn an_end_that_comes_near_is_told_once_a_day() {
    let mut watch = ExpiryWatch::default();
    let mut told = String::new();
    let expiry = |label: &str, day: u64| Expiry {
        label: label.into(),
        valid_until: DAY * u32::try_from(day).unwrap(),
        remedy: "renew it",
    };
    for (hour, expiries) in [
        (0, vec![expiry("a", 30), expiry("b", 15)]),
        (25, vec![expiry("a", 30), expiry("b", 15)]),
        (30, vec![expiry("a", 30), expiry("b", 15)]),
        (49, vec![expiry("a", 30), expiry("b", 15)]),
        (50, vec![expiry("a", 30), expiry("b", 100)]),
        (51, vec![expiry("a", 30), expiry("b", 16)]),
        (15 * 24, vec![expiry("b", 16)]),
        (17 * 24 + 1, vec![expiry("b", 16)]),
    ] {
        for trouble in watch.look(Duration::from_secs(hour * 3600), &expiries) {
            told += &format!("{hour}h {}: {}\n", trouble.about, trouble.text);
        }
    }
    expect![[r#"
        25h b: expires in 13 days: renew it
        49h b: expires in 12 days: renew it
        51h b: expires in 13 days: renew it
        360h b: expires in 1 day: renew it
        409h b: expired 1 day ago, and clients refuse it: renew it
    "#]]
    .assert_eq(&told);
}
