//! core: reads `[service.NAME]`.

use toml::de::DeValue;

use super::section::Section;
use super::values::check_env;
use crate::invalid::Invalid;
use crate::path_pattern::PathPattern;
use crate::service::{Protocol, Replicas, Service};

/// More on one cluster is a slip.
const REPLICAS_MAX: u32 = 1000;

pub(super) fn read(mut section: Section<'_, '_>, app_has_database: bool) -> Option<Service> {
    section.require("run", "\"./server --port $PORT\"");
    let run = section.command("run");
    let mut service = Service::new(run.clone().unwrap_or_default());
    service.build = section.command("build");
    service.protocol = section.choice("protocol", &Protocol::ALL).unwrap_or_default();
    service.health = section.read("health", "a path such as \"/up\"", check_health);
    service.replicas = read_replicas(&mut section);
    service.env = section.string_map("env", check_env);
    service.start_timeout = section.timeout("start_timeout").unwrap_or(service.start_timeout);
    service.stop_timeout = section.timeout("stop_timeout").unwrap_or(service.stop_timeout);
    if let Some(idle) = section.timeout("idle") {
        service.idle = idle;
        if service.replicas.min > 0 {
            let message = format!("`idle`{} has no effect: there is always at least one instance", section.place());
            section.warn(
                "idle",
                Invalid::new(message).help("set `replicas = { min = 0, max = … }` to let the last one go"),
            );
        }
    }
    service.database = read_database(&mut section, app_has_database);
    section.finish();
    run.map(|_| service)
}

/// A number, or a table of `min` and `max`; what is not said is as near to one instance as the other allows.
fn read_replicas(section: &mut Section<'_, '_>) -> Replicas {
    if section.value("replicas").is_some_and(|value| matches!(value.get_ref(), DeValue::Integer(_))) {
        let count = section.count("replicas", 1..=REPLICAS_MAX).unwrap_or(1);
        return Replicas { min: count, max: count };
    }
    let Some(mut table) = section.section("replicas", "a number or `{ min = 1, max = 4 }`") else {
        return Replicas::default();
    };
    let (min, max) = (table.count("min", 0..=REPLICAS_MAX), table.count("max", 1..=REPLICAS_MAX));
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        let message = format!("`min` is greater than `max`{}: {min} > {max}", table.place());
        table
            .fault("min", Invalid::new(message).help(format!("write `{{ min = {max}, max = {min} }}`, or one number")));
    }
    table.finish();
    let min = min.unwrap_or_else(|| max.map_or(1, |max| max.min(1)));
    Replicas { min, max: max.unwrap_or(min.max(1)) }
}

fn read_database(section: &mut Section<'_, '_>, app_has_database: bool) -> bool {
    let wanted = section.flag("database");
    if wanted == Some(true) && !app_has_database {
        let message = format!("`database = true`{}, but the app has none", section.place());
        section.fault("database", Invalid::new(message).help("add `[database]` with `engine = \"sqlite\"`"));
    }
    wanted.unwrap_or(app_has_database)
}

fn check_health(path: &str) -> Result<String, Invalid> {
    let pattern: PathPattern = path.parse()?;
    if pattern.prefix || path.contains('*') {
        return Err(Invalid::new(format!("`{path}` is a pattern")).help("write the one path that is asked, like `/up`"));
    }
    Ok(path.to_owned())
}
