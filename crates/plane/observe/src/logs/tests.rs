use super::*;

#[test]
fn a_bare_level_keeps_the_libraries_quiet() {
    let shown = filter("debug").unwrap().to_string();
    assert!(shown.contains("openraft=error") && shown.contains("debug"), "{shown}");
}

#[test]
fn a_whole_filter_is_taken_as_it_is() {
    assert_eq!(filter("warn,ringway_data=trace").unwrap().to_string(), "ringway_data=trace,warn");
}

#[test]
fn a_slip_is_an_error_that_shows_what_to_write() {
    let error = filter("inof").unwrap_err().to_string();
    assert!(error.contains("inof") && error.contains("write `info`"), "{error}");
}

#[test]
fn the_environment_goes_before_the_configuration_unless_it_is_empty() {
    let from = |value: &'static str| {
        LogConfig::default().or_env(|name| (name == FILTER_VARIABLE).then(|| value.to_owned())).filter
    };
    assert_eq!(from("trace"), "trace");
    assert_eq!(from(""), "info");
}
