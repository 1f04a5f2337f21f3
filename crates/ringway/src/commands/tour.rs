//! `ringway tour`: where everything of an app is, as lines to try.

use anyhow::{Context as _, Result};
use ringway_control::api::{AppView, BucketView, RouteView, Status};
use serde::Serialize;

use crate::admin_client::segment;
use crate::cli::TargetArgs;
use crate::find_node::{console_url, find_node};
use crate::output::{self, say};

#[derive(Serialize)]
struct Tour {
    app: String,
    url: Option<String>,
    console: String,
    /// Tier and line.
    lines: Vec<(String, String)>,
}

pub async fn run(target: &TargetArgs, name: &str) -> Result<()> {
    let client = find_node(target).await?;
    let apps: Vec<AppView> = client.get("/v1/apps").await?;
    let app = apps.into_iter().find(|app| app.name == name);
    let app = app.with_context(|| format!("there is no app {name}: `ringway status` shows those there are"))?;
    let status: Status = client.get("/v1/status").await?;
    let mut lines: Vec<(String, String)> =
        app.urls.first().map_or(vec![], |url| app.routes.iter().map(|route| curl(url, &app, route)).collect());
    lines.sort();
    lines.dedup_by_key(|(tier, _)| tier.clone());
    for bucket in &app.buckets {
        let view: BucketView = client.get(&format!("/v1/buckets/{}", segment(bucket))).await?;
        if let Some(url) = view.url {
            lines.push((format!("bucket {bucket}"), format!("redis-cli --no-auth-warning -u {url} scan 0")));
        }
    }
    let tour = Tour { url: app.urls.first().cloned(), app: app.name, console: console_url(&client)?, lines };
    if target.json {
        return output::print_json(&tour);
    }
    print(&tour, &status);
    Ok(())
}

fn print(tour: &Tour, status: &Status) {
    say!("\n{} is live", tour.app);
    if let Some(url) = &tour.url {
        say!("  app      {url}");
    }
    say!("  console  {}", tour.console);
    let others = status
        .nodes
        .iter()
        .filter_map(|node| node.addresses.http.map(|http| format!("http://{http}/ ({})", node.name)));
    say!("  any node {}\n", others.collect::<Vec<_>>().join("  "));
    let width = tour.lines.iter().map(|(tier, _)| tier.len()).max().unwrap_or(0);
    tour.lines.iter().for_each(|(tier, line)| say!("  {tier:width$}  {line}"));
    say!("\n  see also: ringway status, ringway ps, ringway ring, ringway logs -f {}\n", tour.app);
}

fn curl(url: &str, app: &AppView, route: &RouteView) -> (String, String) {
    let path = route.path.trim_end_matches("/*");
    let kind = app.functions.iter().find(|function| function.name == route.to).map(|function| function.kind.as_str());
    let tier = match (route.to.split_once(':'), kind) {
        (Some((scheme, _)), _) => format!("{scheme} files"),
        (None, Some(kind)) => format!("function {} ({kind})", route.to),
        (None, None) => format!("service {}", route.to),
    };
    let path = if path.is_empty() { "/" } else { path };
    (tier.replace("cgi files", "cgi"), format!("curl -i {}{path}", url.trim_end_matches('/')))
}
