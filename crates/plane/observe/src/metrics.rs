//! Driver: the process's metrics, gathered through the `metrics` facade and shown in Prometheus' text format on request.
//!
//! It has no listener of its own: the admin API serves what [`Metrics::render`] returns.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use ringway_rt::Tasks;

use crate::process;

/// Durations in seconds: from a memory lookup to a slow page.
const SECONDS_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Observations wait in memory until they are put into their buckets: often enough that nobody has to fetch them for that.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Cheap to clone; all clones are the one recorder of this process.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Makes this the recorder of the process. Calling it again gives the same one.
    pub fn install() -> Metrics {
        static INSTALLED: OnceLock<Metrics> = OnceLock::new();
        INSTALLED
            .get_or_init(|| {
                let recorder = PrometheusBuilder::new()
                    .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)
                    .expect("there is at least one bucket")
                    .build_recorder();
                let handle = recorder.handle();
                metrics::set_global_recorder(recorder).expect("nothing else in this process installs a recorder");
                Metrics { handle }
            })
            .clone()
    }

    /// Everything there is, with the process's own figures read now.
    pub fn render(&self) -> String {
        let mut text = self.handle.render();
        process::render(&mut text);
        text
    }

    /// Keeps observations from piling up while nobody fetches them.
    pub fn run(&self, tasks: &Tasks) {
        let (handle, stopping) = (self.handle.clone(), tasks.stopping());
        tasks.spawn("metrics upkeep", async move {
            let mut every = tokio::time::interval(UPKEEP_EVERY);
            tokio::pin!(stopping);
            loop {
                tokio::select! {
                    biased;
                    () = &mut stopping => return,
                    _ = every.tick() => handle.run_upkeep(),
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_histograms_and_the_process_are_rendered() {
        let metrics = Metrics::install();
        metrics::counter!("ringway_test_requests_total", "route" => "/a").increment(3);
        metrics::histogram!("ringway_test_wait_seconds").record(0.003);
        let text = Metrics::install().render();
        assert!(text.contains("ringway_test_requests_total{route=\"/a\"} 3"), "{text}");
        assert!(text.contains("ringway_test_wait_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("ringway_test_wait_seconds_bucket{le=\"0.0025\"} 0"), "{text}");
        assert!(text.contains("process_open_fds "), "{text}");
        drop(metrics);
    }
}
