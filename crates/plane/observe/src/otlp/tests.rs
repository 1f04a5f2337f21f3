use super::*;

fn read(variables: &[(&str, &str)]) -> Result<OtlpConfig, Error> {
    OtlpConfig::from_env(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn without_an_endpoint_nobody_wants_spans() {
    assert!(!read(&[]).unwrap().wants_spans());
    assert!(!read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().wants_spans());
}

#[test]
fn the_general_endpoint_gets_the_path_and_the_one_for_spans_is_taken_whole() {
    let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
    assert_eq!(read(&[general]).unwrap().endpoint.as_deref(), Some("http://collector:4318/v1/traces"));
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other:1/x");
    assert_eq!(read(&[general, own]).unwrap().endpoint.as_deref(), Some("http://other:1/x"));
}

#[test]
fn disabled_and_always_off_want_no_spans() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    assert!(read(&[endpoint]).unwrap().wants_spans());
    assert!(!read(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]).unwrap().wants_spans());
    assert!(!read(&[endpoint, ("OTEL_TRACES_SAMPLER", "parentbased_always_off")]).unwrap().wants_spans());
}

#[test]
fn the_service_name_comes_from_its_variable_then_the_resource_then_us() {
    let resource = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,team=a%20b");
    let config = read(&[resource]).unwrap();
    assert_eq!((config.service_name.as_str(), config.resource), ("shop", vec![("team".to_owned(), "a b".to_owned())]));
    assert_eq!(read(&[resource, ("OTEL_SERVICE_NAME", "edge")]).unwrap().service_name, "edge");
    assert_eq!(read(&[]).unwrap().service_name, "ringway");
}

#[test]
fn what_cannot_be_honoured_is_refused_and_credentials_are_not_shown() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "geheim"),
    ] {
        let error = read(&[(name, value), endpoint]).expect_err(value).to_string();
        assert!(error.contains(name) && !error.contains("geheim"), "{error}");
    }
    let ratio = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
    assert!(read(&ratio).is_err());
}

#[test]
fn a_ratio_takes_about_that_share_of_traces_and_always_the_same_ones() {
    let sampler = Sampler::Ratio(0.25);
    let ids = (0..10_000u128).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let taken = ids.clone().filter(|id| sampler.takes(*id)).count();
    assert!((2_200..2_800).contains(&taken), "{taken}");
    assert!(ids.clone().all(|id| sampler.takes(id) <= Sampler::Ratio(0.5).takes(id)));
    assert!(ids.clone().all(|id| Sampler::Ratio(1.0).takes(id) && !Sampler::Ratio(0.0).takes(id)));
}
