use super::*;

fn reason(method: &str, failure: Failure) -> Option<Reason> {
    let attempt = Attempt { method, failure, has_body: true, retries: 0 };
    match judge(&Config::default(), &attempt, 1) {
        Verdict::RetryAfter(_) => None,
        Verdict::GiveUp(reason) => Some(reason),
    }
}

#[test]
fn what_cannot_have_begun_is_tried_again_whatever_the_method() {
    for method in ["GET", "POST", "PATCH", "BREW"] {
        assert_eq!(reason(method, Failure::NotSent), None);
        assert_eq!(reason(method, Failure::Refused), None);
    }
}

#[test]
fn what_may_have_begun_is_tried_again_only_if_idempotent() {
    for failure in [Failure::NoAnswer, Failure::TimedOut, Failure::Status(502), Failure::Status(504)] {
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
            assert_eq!(reason(method, failure), None, "{method} {failure:?}");
        }
        for method in ["POST", "PATCH", "CONNECT", "get"] {
            assert_eq!(reason(method, failure), Some(Reason::NotIdempotent), "{method} {failure:?}");
        }
    }
}

#[test]
fn answers_of_the_app_itself_are_final() {
    for status in [200, 400, 404, 429, 500, 501, 505] {
        assert_eq!(reason("GET", Failure::Status(status)), Some(Reason::Final), "{status}");
    }
    assert_eq!(reason("GET", Failure::BrokeOff), Some(Reason::AnswerHasBegun));
}

#[test]
fn without_its_body_or_after_enough_tries_it_is_given_up() {
    let attempt = Attempt { method: "PUT", failure: Failure::NoAnswer, has_body: false, retries: 0 };
    assert_eq!(judge(&Config::default(), &attempt, 1), Verdict::GiveUp(Reason::BodyIsGone));
    let attempt = Attempt { has_body: true, retries: 2, ..attempt };
    assert_eq!(judge(&Config::default(), &attempt, 1), Verdict::GiveUp(Reason::TriedEnough));
}

#[test]
fn pauses_spread_from_zero_to_a_bound_that_doubles_up_to_the_longest() {
    let config = Config { retries_max: 100, ..Config::default() };
    let longest = |retries| {
        let attempt = Attempt { method: "GET", failure: Failure::NotSent, has_body: true, retries };
        let all: Vec<u128> = (0..1_000)
            .map(|random| match judge(&config, &attempt, random) {
                Verdict::RetryAfter(pause) => pause.as_millis(),
                Verdict::GiveUp(reason) => panic!("{reason}"),
            })
            .collect();
        assert!(all.iter().any(|millis| *millis < 3), "full jitter begins at nothing");
        *all.iter().max().expect("some")
    };
    assert_eq!([0, 1, 2, 3, 50].map(longest), [24, 49, 99, 199, 999]);
}
