use super::*;

const AT: Exchange = Exchange { asked_ms: 1_000, answered_ms: 1_000 };

#[derive(Default)]
struct Case {
    request: HeaderMap,
    response: HeaderMap,
    default_lifetime: Option<Duration>,
}

impl Case {
    fn answer(lines: &[(&'static str, &str)]) -> Self {
        Self { response: headers(lines), ..Self::default() }
    }

    fn asked(mut self, lines: &[(&'static str, &str)]) -> Self {
        self.request = headers(lines);
        self
    }

    fn by_route(mut self, seconds: u64) -> Self {
        self.default_lifetime = Some(Duration::from_secs(seconds));
        self
    }

    fn with(&self, method: Method, status: u16) -> Result<Plan, &'static str> {
        let answer = Answer {
            method: &method,
            request: &self.request,
            status: StatusCode::from_u16(status).unwrap(),
            headers: &self.response,
            exchange: AT,
            default_lifetime: self.default_lifetime,
        };
        answer.plan(0)
    }

    fn plan(&self) -> Result<Plan, &'static str> {
        self.with(Method::GET, 200)
    }

    fn verdict(&self) -> Result<(), &'static str> {
        self.plan().map(|_| ())
    }
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn said(line: &str) -> Case {
    Case::answer(&[("cache-control", line)])
}

#[test]
fn only_answers_to_get_are_stored() {
    let case = said("max-age=60");
    assert!(case.plan().is_ok());
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::OPTIONS] {
        assert_eq!(case.with(method, 200).unwrap_err(), "method");
    }
}

#[test]
fn parts_and_interim_answers_are_not_stored() {
    for status in [206, 304, 101, 103] {
        assert_eq!(said("max-age=60").with(Method::GET, status).unwrap_err(), "status", "{status}");
    }
}

#[test]
fn any_final_status_with_a_lifetime_is_stored() {
    for status in [200, 201, 302, 307, 404, 500, 503, 599, 299] {
        assert!(said("max-age=60").with(Method::GET, status).is_ok(), "{status}");
    }
}

#[test]
fn must_understand_is_for_statuses_that_are_known_and_goes_before_no_store() {
    assert!(said("must-understand, no-store, max-age=9").plan().is_ok());
    assert_eq!(said("must-understand, max-age=9").with(Method::GET, 299).unwrap_err(), "must-understand");
    assert_eq!(said("no-store, max-age=9").verdict(), Err("no-store"));
}

#[test]
fn what_is_private_or_not_to_be_stored_is_not() {
    assert_eq!(said("private, max-age=60").verdict(), Err("private"));
    assert_eq!(said("no-store").verdict(), Err("no-store"));
    let case = said("max-age=60").asked(&[("cache-control", "no-store")]);
    assert_eq!(case.verdict(), Err("request-no-store"));
}

#[test]
fn an_answer_to_somebody_who_said_who_they_are_needs_leave() {
    let asked = |line: &str| said(line).asked(&[("authorization", "Basic eDp5")]).verdict();
    assert_eq!(asked("max-age=60"), Err("authorization"));
    for leave in ["max-age=60, public", "s-maxage=60", "max-age=60, must-revalidate"] {
        assert_eq!(asked(leave), Ok(()), "{leave}");
    }
}

#[test]
fn a_cookie_is_stored_only_if_shared_caches_are_spoken_to() {
    let sets = |lines: &[(&'static str, &str)]| {
        let mut case = Case::answer(lines);
        case.response.insert(header::SET_COOKIE, HeaderValue::from_static("sid=1"));
        case.plan()
    };
    assert_eq!(sets(&[("cache-control", "public, max-age=60")]).unwrap_err(), "set-cookie");
    assert!(sets(&[("cache-control", "s-maxage=60")]).unwrap().headers.contains_key(header::SET_COOKIE));
    assert!(sets(&[("cdn-cache-control", "max-age=60")]).is_ok());
    let without = sets(&[("cache-control", "max-age=60, no-cache=\"set-cookie\"")]).unwrap();
    assert!(!without.headers.contains_key(header::SET_COOKIE));
}

#[test]
fn without_a_lifetime_the_route_decides_and_else_nothing_is_stored() {
    assert_eq!(Case::answer(&[]).verdict(), Err("no-lifetime"));
    assert_eq!(Case::answer(&[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")]).verdict(), Err("no-lifetime"));
    let plan = Case::answer(&[]).by_route(10).plan().unwrap();
    assert_eq!(plan.times.fresh_until_ms, 10_000);
    assert_eq!(said("max-age=3").by_route(10).plan().unwrap().times.fresh_until_ms, 3_000);
    assert_eq!(said("no-store").by_route(10).verdict(), Err("no-store"));
}

#[test]
fn the_route_does_not_decide_for_people_who_are_known() {
    for name in ["cookie", "authorization"] {
        assert!(Case::answer(&[]).by_route(10).asked(&[(name, "x")]).verdict().is_err(), "{name}");
    }
}

#[test]
fn what_is_of_no_use_is_not_stored() {
    assert_eq!(said("max-age=0").verdict(), Err("stale"));
    assert_eq!(said("no-cache").verdict(), Err("stale"), "and nothing to revalidate it by");
    let plan = Case::answer(&[("cache-control", "no-cache"), ("etag", "\"1\"")]).plan().unwrap();
    assert!(plan.times.always_validate && plan.times.fresh_until_ms == 0);
    assert_eq!(Case::answer(&[("cache-control", "max-age=5"), ("age", "5")]).verdict(), Err("stale"));
}

#[test]
fn what_fits_no_other_request_is_not_stored() {
    assert_eq!(Case::answer(&[("cache-control", "max-age=5"), ("vary", "accept, *")]).verdict(), Err("vary"));
}

#[test]
fn headers_of_the_connection_are_not_stored_and_all_others_are() {
    let case = Case::answer(&[
        ("cache-control", "max-age=60"),
        ("connection", "close, X-Hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-authenticate", "Basic"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("age", "3"),
        ("x-unknown", "a"),
        ("x-unknown", "b"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ]);
    let mut names: Vec<&str> = Vec::new();
    let kept = kept(&case.response, &[], AT);
    names.extend(kept.keys().map(HeaderName::as_str));
    names.sort_unstable();
    assert_eq!(names, ["cache-control", "date", "x-unknown"]);
    assert_eq!(kept.get_all("x-unknown").iter().count(), 2);
}

#[test]
fn an_answer_without_a_date_gets_that_of_its_arrival() {
    assert_eq!(said("max-age=60").plan().unwrap().headers[header::DATE], "Thu, 01 Jan 1970 00:00:01 GMT");
}
