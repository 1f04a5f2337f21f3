//! What a run saw, for people and for scripts.

use serde_json::json;

use crate::{histogram::Histogram, options::Options, server::Used};

pub struct Seen {
    pub label: String,
    pub proto: String,
    pub seconds: f64,
    pub tally: Tally,
    /// What the server used during the measurement, and its memory before and after.
    pub server: Option<ServerSeen>,
    /// CPU seconds of the generator: near the length of the run, it was the limit.
    pub own_cpu_seconds: f64,
}

pub struct ServerSeen {
    pub before: Used,
    pub after: Used,
}

/// Counts since the measurement began.
pub struct Tally {
    pub latency_ns: Histogram,
    pub hits: u64,
    pub misses: u64,
    pub stored: u64,
    pub errors: u64,
    /// The first one, as the server said it.
    pub error: Option<String>,
}

impl Tally {
    pub fn new() -> Self {
        Self { latency_ns: Histogram::new(), hits: 0, misses: 0, stored: 0, errors: 0, error: None }
    }

    pub fn failed(&mut self, count: u64, why: impl FnOnce() -> String) {
        self.errors += count;
        if count > 0 && self.error.is_none() {
            self.error = Some(why());
        }
    }

    /// Operations that were done.
    pub fn ops(&self) -> u64 {
        self.hits + self.misses + self.stored
    }
}

impl Seen {
    pub fn new(
        options: &Options,
        seconds: f64,
        tally: Tally,
        server: Option<ServerSeen>,
        own_cpu_seconds: f64,
    ) -> Self {
        let proto = format!("{:?}", options.proto).to_lowercase();
        Self { label: options.label.clone(), proto, seconds, tally, server, own_cpu_seconds }
    }

    fn cpu_seconds(&self) -> Option<f64> {
        self.server.as_ref().map(|server| server.after.cpu_seconds - server.before.cpu_seconds)
    }

    fn per_cpu_second(&self) -> Option<f64> {
        self.cpu_seconds().filter(|seconds| *seconds > 0.0).map(|seconds| self.tally.ops() as f64 / seconds)
    }

    pub fn line(&self) -> String {
        let latency = |part| self.tally.latency_ns.quantile(part) as f64 / 1000.0;
        let mut line = format!(
            "{} {} ops, {:.0}/s, p50 {:.0} p99 {:.0} p99.9 {:.0} us, {} misses, {} errors, generator {:.0} % busy",
            self.label,
            self.tally.ops(),
            self.tally.ops() as f64 / self.seconds,
            latency(0.5),
            latency(0.99),
            latency(0.999),
            self.tally.misses,
            self.tally.errors,
            100.0 * self.own_cpu_seconds / self.seconds,
        );
        if let (Some(seconds), Some(rate), Some(server)) = (self.cpu_seconds(), self.per_cpu_second(), &self.server) {
            line += &format!(
                ", server {:.0} % busy, {rate:.0} ops per CPU second, {} MB",
                100.0 * seconds / self.seconds,
                server.after.rss_bytes >> 20
            );
        }
        if let Some(error) = &self.tally.error {
            line += &format!("; first error: {error}");
        }
        line.trim_start().to_owned()
    }

    pub fn json(&self) -> String {
        let micros = |ns: u64| ns as f64 / 1000.0;
        let quantile = |part| micros(self.tally.latency_ns.quantile(part));
        json!({
            "label": self.label,
            "proto": self.proto,
            "seconds": self.seconds,
            "ops": self.tally.ops(),
            "ops_per_second": self.tally.ops() as f64 / self.seconds,
            "ops_per_cpu_second": self.per_cpu_second(),
            "cpu_seconds": self.cpu_seconds(),
            "rss_before": self.server.as_ref().map(|server| server.before.rss_bytes),
            "rss_after": self.server.as_ref().map(|server| server.after.rss_bytes),
            "generator_cpu_seconds": self.own_cpu_seconds,
            "p50_us": quantile(0.5),
            "p99_us": quantile(0.99),
            "p999_us": quantile(0.999),
            "max_us": micros(self.tally.latency_ns.max()),
            "hits": self.tally.hits,
            "misses": self.tally.misses,
            "stored": self.tally.stored,
            "errors": self.tally.errors,
            "error": self.tally.error,
        })
        .to_string()
    }
}
