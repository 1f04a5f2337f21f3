//! core: the text of a manifest to a [`Manifest`], or to everything that is wrong with it.
//!
//! The walk goes on after a fault: what could not be read is left out, what depends on it is not complained about. Only
//! a syntax error stops it, since nothing after it can be trusted. Keys that start with `x-` are free everywhere, for
//! the writer's own use; every other unknown key is a fault, because a slip that is ignored is found in production.

mod function;
mod kv;
mod report;
mod route;
mod section;
mod service;
mod values;

use std::collections::BTreeMap;

use toml::de::{DeTable, Error};

use self::report::Report;
use self::section::{Named, Section};
use self::values::{check_env, check_host};
use crate::database::{Database, DatabaseEngine};
use crate::fault::{Fault, Faults, Place};
use crate::invalid::Invalid;
use crate::manifest::Manifest;
use crate::name::check_name;

/// A longer text is refused unread. In bytes.
pub const TEXT_LEN_MAX: usize = 256 * 1024;

/// A manifest that can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    pub manifest: Manifest,
    /// What can be used but is probably not meant so.
    pub warnings: Vec<Fault>,
    /// The name the text came under.
    pub(crate) file: String,
    /// By the `at` of a [`crate::FileNeeded`].
    pub(crate) places: BTreeMap<String, Place>,
}

/// What a route may lead to, whether or not it could be read itself.
struct Names<'d> {
    services: Vec<&'d str>,
    functions: Vec<&'d str>,
}

/// Reads the text of a manifest. `file_name` is what its faults are shown under.
pub fn parse(file_name: &str, text: &str) -> Result<Parsed, Faults> {
    let mut report = Report::new(file_name, text);
    let mut manifest = Manifest::new("");
    if text.len() > TEXT_LEN_MAX {
        report.fault_of_file(Invalid::new(format!("longer than {TEXT_LEN_MAX} bytes")));
    } else {
        match DeTable::parse(text) {
            Ok(table) => manifest = read_manifest(Section::top(&mut report, table.get_ref())),
            Err(error) => report_syntax(&mut report, text, &error),
        }
    }
    let (faults, warnings, places) = report.finish();
    if faults.is_empty() {
        return Ok(Parsed { manifest, warnings, file: file_name.to_owned(), places });
    }
    Err(Faults(faults))
}

fn read_manifest(mut top: Section<'_, '_>) -> Manifest {
    let mut manifest = Manifest::new(read_name(&mut top));
    // Promised to be accepted: the behaviour of which date the app wants. There is only one yet.
    top.string("compat");
    manifest.hosts = top.strings("hosts", check_host);
    manifest.build = top.command("build");
    manifest.env = top.string_map("env", check_env);
    manifest.database = read_database(&mut top);
    let names = read_parts(&mut top, &mut manifest);
    manifest.routes = route::read_all(&mut top, &names, &manifest);
    if !top.has("route") {
        let help = "add a `[[route]]` with `path` and `to`, unless only the app's own processes matter";
        top.report
            .warn_of_file(Invalid::new("there is no route: nothing of the app can be reached from outside").help(help));
    }
    top.finish();
    manifest
}

/// Services, functions and buckets; the names are what routes may lead to.
fn read_parts<'d>(top: &mut Section<'_, 'd>, manifest: &mut Manifest) -> Names<'d> {
    let services = read_names(top, "service");
    let functions = read_names(top, "function");
    let buckets = read_names(top, "kv");
    report_clashes(top, &services, &functions);
    for named in &services {
        let service = service::read(top.of_named("service", named), manifest.database.is_some());
        manifest.services.extend(service.map(|service| (named.name.to_owned(), service)));
    }
    for named in &functions {
        let function = function::read(top.of_named("function", named));
        manifest.functions.extend(function.map(|function| (named.name.to_owned(), function)));
    }
    for named in &buckets {
        manifest.buckets.insert(named.name.to_owned(), kv::read(top.of_named("kv", named)));
    }
    Names {
        services: services.iter().map(|named| named.name).collect(),
        functions: functions.iter().map(|named| named.name).collect(),
    }
}

fn read_name(top: &mut Section<'_, '_>) -> String {
    if !top.has("name") {
        top.value("name");
        let help = "add `name = \"my-app\"` above the first section";
        top.report.fault_of_file(Invalid::new("missing `name`: every app has one").help(help));
    }
    top.read("name", "a string", |name| check_name(name).map(|()| name.to_owned())).unwrap_or_default()
}

fn read_database(top: &mut Section<'_, '_>) -> Option<Database> {
    let mut section = top.section("database", "a table")?;
    section.require("engine", "\"sqlite\"");
    let engine = section.choice("engine", &DatabaseEngine::ALL);
    section.finish();
    // A database whose engine is wrong is one all the same to whoever wants it.
    Some(Database { engine: engine.unwrap_or(DatabaseEngine::Sqlite) })
}

fn read_names<'d>(top: &mut Section<'_, 'd>, kind: &'static str) -> Vec<Named<'d>> {
    let all = top.named(kind);
    for named in &all {
        if let Err(invalid) = check_name(named.name) {
            top.report.fault(&named.span, invalid);
        }
    }
    all
}

fn report_clashes(top: &mut Section<'_, '_>, services: &[Named<'_>], functions: &[Named<'_>]) {
    for function in functions {
        if services.iter().any(|service| service.name == function.name) {
            let message = format!("`{}` is both a service and a function", function.name);
            let help = "rename one of them: routes and `http://NAME.internal/` know them by name only";
            top.report.fault(&function.span, Invalid::new(message).help(help));
        }
    }
}

fn report_syntax(report: &mut Report, text: &str, error: &Error) {
    let mut invalid = Invalid::new(format!("not TOML: {}", error.message().replace('\n', ", ")));
    let Some(span) = error.span() else {
        return report.fault_of_file(invalid);
    };
    let start = span.start.min(text.len());
    if let Some(help) = quotes_help(text, start) {
        invalid = invalid.help(help);
    }
    report.fault(&(start..start), invalid);
}

/// The commonest slip, text without quotes, is not what the parser's message is about.
fn quotes_help(text: &str, at: usize) -> Option<String> {
    let line_start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let (key, value) = text[line_start..].lines().next()?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let is_text = value.starts_with(|c: char| c.is_alphabetic() || matches!(c, '.' | '/' | '*' | '$' | '_'));
    (is_text && !value.contains('"')).then(|| format!("text stands in quotes: `{key} = \"{value}\"`"))
}

#[cfg(test)]
mod tests;
