//! Driver: the front end's metrics, their handles kept so that counting is an addition.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Instead of an app's name where there is none.
const NO_APP: &str = "-";

/// One a thread.
pub struct Meters {
    pub connections: Gauge,
    pub in_flight: Gauge,
    /// Connections that were one too many.
    pub surplus: Counter,
    apps: Mutex<HashMap<Arc<str>, Arc<AppMeters>>>,
}

pub struct AppMeters {
    requests: [Counter; 5],
    seconds: Histogram,
}

impl Meters {
    pub fn new() -> Self {
        Self {
            connections: gauge!("ringway_front_connections"),
            in_flight: gauge!("ringway_front_in_flight"),
            surplus: counter!("ringway_front_connections_refused_total"),
            apps: Mutex::default(),
        }
    }

    pub fn request(&self, app: Option<&Arc<str>>, status: StatusCode, took: Duration) {
        self.app(app).request(status, took);
    }

    pub fn app(&self, app: Option<&Arc<str>>) -> Arc<AppMeters> {
        let name: &str = app.map_or(NO_APP, |name| name);
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meters) = apps.get(name) {
            return Arc::clone(meters);
        }
        let meters = AppMeters::new(name);
        apps.insert(name.into(), Arc::clone(&meters));
        meters
    }
}

impl AppMeters {
    pub fn new(app: &str) -> Arc<Self> {
        let app = app.to_owned();
        let requests =
            CLASSES.map(|class| counter!("ringway_front_requests_total", "app" => app.clone(), "status" => class));
        Arc::new(Self { requests, seconds: histogram!("ringway_front_request_seconds", "app" => app) })
    }

    pub fn request(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.requests[class].increment(1);
        self.seconds.record(took.as_secs_f64());
    }
}
