use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn check(text: &str) -> String {
    match parse_duration(text) {
        Ok(duration) => format!("{text} = {}ms = {}\n", duration.as_millis(), show_duration(duration)),
        Err(invalid) => format!("{text}: {invalid}; {}\n", invalid.help.as_deref().unwrap_or_default()),
    }
}

#[test]
fn durations_are_read_as_people_write_them() {
    let texts = [
        "1h",
        "500ms",
        "7d",
        "1h30m",
        "1h 30m",
        "90m",
        "0s",
        "30",
        "",
        "1.5h",
        "h",
        "10 s",
        "1m1h",
        "1s1s",
        "5min",
        "-1s",
        "9999999d",
        "99999999999999999999d",
        "é",
    ];
    let seen: String = texts.iter().map(|text| check(text)).collect();
    expect![[r#"
        1h = 3600000ms = 1h
        500ms = 500ms = 500ms
        7d = 604800000ms = 7d
        1h30m = 5400000ms = 1h30m
        1h 30m = 5400000ms = 1h30m
        90m = 5400000ms = 1h30m
        0s = 0ms = 0s
        30: the duration `30` has no unit; write `30s` for seconds or `30ms` for milliseconds
        : `` is not a duration; write it like `500ms`, `10s`, `1h30m` or `7d`
        1.5h: `1.5h` is not a duration; write it like `500ms`, `10s`, `1h30m` or `7d`
        h: `h` is not a duration; write it like `500ms`, `10s`, `1h30m` or `7d`
        10 s = 10000ms = 10s
        1m1h: `1m1h` is not a duration; write it like `500ms`, `10s`, `1h30m` or `7d`
        1s1s: `1s1s` is not a duration; write it like `500ms`, `10s`, `1h30m` or `7d`
        5min: `5min` is not a duration; write it like `500ms`, `10s`, `1h30m` or `7d`
        -1s: `-1s` is not a duration; write it like `500ms`, `10s`, `1h30m` or `7d`
        9999999d: the duration `9999999d` is longer than ten years; 
        99999999999999999999d: the duration `99999999999999999999d` is longer than ten years; 
        é: `é` is not a duration; write it like `500ms`, `10s`, `1h30m` or `7d`
    "#]]
    .assert_eq(&seen);
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(ms in 0..DURATION_MAX.as_millis() as u64) {
        let duration = Duration::from_millis(ms);
        prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,12}") {
        let _ = parse_duration(&text);
        let _ = text.parse::<crate::Bytes>();
    }
}
