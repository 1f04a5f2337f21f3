//! Core: where spans go, from OpenTelemetry's own environment variables.
//!
//! Names and meanings are those of the specification ("OpenTelemetry Environment Variable Specification" and "OTLP Exporter
//! Configuration"). Only OTLP over HTTP with protobuf, and only in clear: a collector belongs on the machine or in its network;
//! what cannot be honoured is refused and not ignored.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::Error;

const SPANS_PATH: &str = "/v1/traces";
const DEFAULT_SERVICE: &str = "ringway";

/// Everything [`crate::Tracer`] needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OtlpConfig {
    /// The URL that spans are posted to. None: nobody wants any.
    pub endpoint: Option<String>,
    /// Sent with every request. May hold credentials: never logged.
    pub headers: HashMap<String, String>,
    pub service_name: String,
    pub resource: Vec<(String, String)>,
    pub sampler: Sampler,
}

/// Which traces are exported. A trace is in or out as a whole, since it depends on its id alone. (The caller's own choice,
/// which `parentbased_*` asks for, is in the request's `traceparent` and is the front end's to honour.)
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Sampler {
    #[default]
    AlwaysOn,
    AlwaysOff,
    /// The share of traces, 0 to 1.
    Ratio(f64),
}

impl OtlpConfig {
    /// Reads the configuration; `variable` looks one up. Empty is as good as unset.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<OtlpConfig, Error> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: [&str; 2]| names.into_iter().find_map(&variable);
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(OtlpConfig { sampler: Sampler::AlwaysOff, ..OtlpConfig::default() });
        }
        let endpoint =
            endpoint(variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), variable("OTEL_EXPORTER_OTLP_ENDPOINT"))?;
        if endpoint.is_some() {
            check_protocol(first(["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]))?;
        }
        let mut resource = pairs("OTEL_RESOURCE_ATTRIBUTES", variable("OTEL_RESOURCE_ATTRIBUTES"))?;
        let named = resource.iter().position(|(key, _)| key == "service.name").map(|at| resource.remove(at).1);
        Ok(OtlpConfig {
            endpoint,
            headers: pairs(
                "OTEL_EXPORTER_OTLP_HEADERS",
                first(["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]),
            )?
            .into_iter()
            .collect(),
            service_name: variable("OTEL_SERVICE_NAME").or(named).unwrap_or_else(|| DEFAULT_SERVICE.to_owned()),
            resource,
            sampler: sampler(variable("OTEL_TRACES_SAMPLER"), variable("OTEL_TRACES_SAMPLER_ARG"))?,
        })
    }

    /// Whether there is any use in making spans.
    pub fn wants_spans(&self) -> bool {
        self.endpoint.is_some() && self.sampler != Sampler::AlwaysOff
    }
}

impl Sampler {
    /// As the SDKs decide: by the lower half of the trace id, so that all nodes and all languages agree.
    pub fn takes(self, trace_id: u128) -> bool {
        match self {
            Sampler::AlwaysOn => true,
            Sampler::AlwaysOff => false,
            Sampler::Ratio(ratio) => ((trace_id as u64) >> 1) < (ratio.clamp(0.0, 1.0) * (1u64 << 63) as f64) as u64,
        }
    }
}

/// The variable for spans is a whole URL; the general one gets the path of the signal.
fn endpoint(of_spans: Option<String>, general: Option<String>) -> Result<Option<String>, Error> {
    if let Some(url) = of_spans {
        return check_url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url).map(Some);
    }
    let Some(base) = general else { return Ok(None) };
    check_url("OTEL_EXPORTER_OTLP_ENDPOINT", base)
        .map(|base| Some(format!("{}{SPANS_PATH}", base.trim_end_matches('/'))))
}

fn check_url(variable: &'static str, value: String) -> Result<String, Error> {
    let value = value.trim().to_owned();
    if value.strip_prefix("http://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        return Ok(value);
    }
    let help =
        "write a URL like `http://localhost:4318`; https is not supported: let a collector on this machine pass it on";
    Err(Error::BadSetting { variable, value, help })
}

fn check_protocol(protocol: Option<String>) -> Result<(), Error> {
    match protocol {
        Some(value) if value != "http/protobuf" => Err(Error::BadSetting {
            variable: "OTEL_EXPORTER_OTLP_PROTOCOL",
            value,
            help: "only `http/protobuf` is supported (port 4318 of most collectors)",
        }),
        _ => Ok(()),
    }
}

/// `key=value,key=value`, values percent-encoded.
fn pairs(variable: &'static str, text: Option<String>) -> Result<Vec<(String, String)>, Error> {
    let text = text.unwrap_or_default();
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            // The value may be a credential, so the error does not show it.
            let bad = || Error::BadSetting {
                variable,
                value: "...".to_owned(),
                help: "write `key=value,key=value`, values percent-encoded",
            };
            let (key, value) = pair.split_once('=').ok_or_else(bad)?;
            let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| bad())?;
            Ok((key.trim().to_owned(), value.into_owned()))
        })
        .collect()
}

fn sampler(name: Option<String>, argument: Option<String>) -> Result<Sampler, Error> {
    let Some(name) = name else { return Ok(Sampler::AlwaysOn) };
    match name.strip_prefix("parentbased_").unwrap_or(&name) {
        "always_on" => Ok(Sampler::AlwaysOn),
        "always_off" => Ok(Sampler::AlwaysOff),
        "traceidratio" => ratio(argument).map(Sampler::Ratio),
        _ => Err(Error::BadSetting {
            variable: "OTEL_TRACES_SAMPLER",
            value: name,
            help: "write always_on, always_off, traceidratio or one of these after `parentbased_`",
        }),
    }
}

fn ratio(argument: Option<String>) -> Result<f64, Error> {
    let Some(text) = argument else { return Ok(1.0) };
    match text.trim().parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err(Error::BadSetting {
            variable: "OTEL_TRACES_SAMPLER_ARG",
            value: text,
            help: "write a number from 0 to 1",
        }),
    }
}

#[cfg(test)]
mod tests;
