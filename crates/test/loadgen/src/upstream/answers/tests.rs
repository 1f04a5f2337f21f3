use super::*;

fn check(answers: &Answers, path: &str, is_head: bool, keep_alive: bool) -> (String, usize) {
    let request = Request { path: path.as_bytes(), is_head, keep_alive, head_len: 0, body_len: 0 };
    let answer = answers.to(&request);
    let head = String::from_utf8(answer.head.to_vec()).expect("text");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(head.contains("Connection: close\r\n"), !keep_alive, "{head}");
    (head, answer.body.len())
}

#[test]
fn a_body_is_as_long_as_its_name_and_its_head_say() {
    let answers = Answers::new();
    for (path, len) in [("/1k", 1024), ("/any/64k", 65_536), ("/10m", 10_485_760), ("/other", 0), ("/v1/traces", 0)] {
        for keep_alive in [true, false] {
            let (head, body) = check(&answers, path, false, keep_alive);
            assert_eq!(body, len, "{path}");
            assert!(head.contains(&format!("Content-Length: {len}\r\n")), "{path}: {head}");
        }
    }
}

#[test]
fn a_head_request_gets_the_length_without_the_body() {
    let (head, body) = check(&Answers::new(), "/1k", true, true);
    assert_eq!(body, 0);
    assert!(head.contains("Content-Length: 1024\r\n"), "{head}");
}

#[test]
fn what_is_private_is_not_for_caches() {
    let answers = Answers::new();
    for (path, caching) in [
        ("/app/1k", "max-age=3600"),
        ("/app/private/1k", "private, no-store"),
        ("/private/64k", "private, no-store"),
        ("/other", "private, no-store"),
    ] {
        let (head, _) = check(&answers, path, false, true);
        assert!(head.contains(&format!("Cache-Control: {caching}\r\n")), "{path}: {head}");
    }
}

#[test]
fn every_head_tells_the_time() {
    let mut answers = Answers::new();
    for (second, date) in [(0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT")] {
        answers.set_time(second);
        for (path, keep_alive) in [("/1k", true), ("/private/64k", false), ("/other", true)] {
            let (head, _) = check(&answers, path, false, keep_alive);
            assert!(head.contains(&format!("\r\nDate: {date}\r\n")), "{head}");
        }
    }
}
