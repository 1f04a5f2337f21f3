//! `ringway plan`: what a deploy would change, and the routing table that comes out; or that of what is deployed.

use std::path::Path;

use anyhow::Result;
use ringway_control::api::{NAME_HEADER, Plan};
use ringway_manifest::{Change, ChangeKind, RoutingRow, RoutingTable};
use serde::Serialize;

use crate::admin_client::segment;
use crate::app_dir::AppDir;
use crate::cli::{PlanArgs, TargetArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

/// For scripts: the plan, and its routing table.
#[derive(Serialize)]
struct PlanWithTable<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    routing: RoutingTable,
}

pub async fn run(target: &TargetArgs, arguments: &PlanArgs) -> Result<()> {
    match (&arguments.app, arguments.all) {
        (None, false) => plan(target, arguments.dir.as_deref().unwrap_or(Path::new("."))).await,
        (app, _) => deployed(target, app.as_deref()).await,
    }
}

/// What a directory would become.
async fn plan(target: &TargetArgs, dir: &Path) -> Result<()> {
    let app = AppDir::open(dir)?;
    app.print_warnings();
    let client = find_node(target).await?;
    let package = app.package()?;
    let plan: Plan = client.upload("/v1/plan", (NAME_HEADER, &app.dir_name), package.path(), |_| {}).await?;
    let routing = plan.manifest.routing_table();
    if target.json {
        return output::print_json(&PlanWithTable { plan: &plan, routing });
    }
    match plan.current {
        Some(release) => say!("{}: release {release} is served now", plan.app),
        None => say!("{}: not deployed yet", plan.app),
    }
    print_changes(&plan.changes);
    say!("{}", if plan.files_changed { "~ files" } else { "= files are the same" });
    say!("");
    print_table(&routing);
    say!("");
    say!("nothing was changed: `ringway deploy {}` does it", dir.display());
    Ok(())
}

/// What is served now.
async fn deployed(target: &TargetArgs, app: Option<&str>) -> Result<()> {
    let client = find_node(target).await?;
    let query = app.map(|app| format!("?app={}", segment(app))).unwrap_or_default();
    let tables: Vec<RoutingTable> = client.get(&format!("/v1/routes{query}")).await?;
    if target.json {
        return output::print_json(&tables);
    }
    if tables.is_empty() {
        say!("no app is deployed");
    }
    for (number, table) in tables.iter().enumerate() {
        if number > 0 {
            say!("");
        }
        print_table(table);
    }
    Ok(())
}

fn print_table(table: &RoutingTable) {
    say!("routes of {}, in the order in which they are tried ({}):", table.app, table.hosts.join(", "));
    if table.rows.is_empty() {
        say!("  none");
    }
    let text = output::table(&["PATH", "ONLY FOR", "TO", "RULES"], table.rows.iter().map(row));
    text.lines().filter(|_| !table.rows.is_empty()).for_each(|line| say!("  {line}"));
}

fn row(row: &RoutingRow) -> Vec<String> {
    let mut only_for: Vec<String> = row.host.iter().cloned().collect();
    if !row.methods.is_empty() {
        only_for.push(row.methods.join(","));
    }
    only_for.extend(row.headers.iter().cloned());
    vec![row.path.clone(), only_for.join(" "), row.to.clone(), row.rules.join("; ")]
}

pub fn print_changes(changes: &[Change]) {
    for change in changes {
        let sign = match change.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
        };
        say!("{sign} {}{}{}", change.what, if change.detail.is_empty() { "" } else { ": " }, change.detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_route_is_only_for_stands_in_one_column() {
        let full = RoutingRow {
            path: "/api/*".to_owned(),
            host: Some("shop.test".to_owned()),
            methods: vec!["GET".to_owned(), "POST".to_owned()],
            headers: vec!["x-beta=1".to_owned()],
            to: "web".to_owned(),
            rules: vec!["timeout 30s".to_owned(), "rate 10/s, burst 10, per client".to_owned()],
        };
        let told = row(&full);
        assert_eq!(told[1], "shop.test GET,POST x-beta=1");
        assert_eq!(told[3], "timeout 30s; rate 10/s, burst 10, per client");
    }
}
