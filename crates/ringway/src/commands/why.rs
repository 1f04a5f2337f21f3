//! `ringway why`: what becomes of a request, from the outside in, and why.

use anyhow::{Context as _, Result, bail};
use http::Uri;
use ringway_ports::{Decision, ExplainRequest, Explanation};

use crate::cli::{TargetArgs, WhyArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

/// Others are counted.
const OTHERS_SHOWN: usize = 10;

pub async fn run(target: &TargetArgs, arguments: &WhyArgs) -> Result<()> {
    let request = request(arguments)?;
    let client = find_node(target).await?;
    let explanation: Explanation = client.post("/v1/why", &request).await?;
    if target.json {
        return output::print_json(&explanation);
    }
    picture(&request, &explanation).lines().for_each(|line| say!("{line}"));
    Ok(())
}

fn request(arguments: &WhyArgs) -> Result<ExplainRequest> {
    let url = &arguments.url;
    let uri: Uri = match url {
        path if path.starts_with('/') => format!("http://localhost{path}"),
        whole if whole.contains("://") => whole.clone(),
        bare => format!("http://{bare}"),
    }
    .parse()
    .with_context(|| format!("`{url}` is no address: write it like https://shop.localhost:8443/cart"))?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        other => bail!("`{}` is not served here: it is http or https", other.unwrap_or_default()),
    };
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    Ok(ExplainRequest {
        method: arguments.method.to_ascii_uppercase(),
        tls,
        host: uri.host().unwrap_or_default().to_ascii_lowercase(),
        target: target.to_owned(),
        headers: arguments.headers.iter().map(|header| pair(header)).collect::<Result<_>>()?,
    })
}

fn pair(header: &str) -> Result<(String, String)> {
    let (name, value) =
        header.split_once(':').with_context(|| format!("`{header}` is no header: write it like 'X-Beta: 1'"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// A tree: each decision a branch, its reasons below it.
fn picture(request: &ExplainRequest, explanation: &Explanation) -> String {
    let scheme = if request.tls { "https" } else { "http" };
    let mut text = format!("{} {scheme}://{}{}\n", request.method, request.host, request.target);
    let branches = branches(explanation);
    for (number, (name, result, below)) in branches.iter().enumerate() {
        let is_last = number + 1 == branches.len();
        let (branch, trunk) = if is_last { ("└─", "  ") } else { ("├─", "│ ") };
        text += format!("{branch} {name:8} {result}").trim_end();
        text.push('\n');
        for line in below {
            text += &format!("{trunk}          {line}\n");
        }
    }
    text
}

type Branch = (&'static str, String, Vec<String>);

fn branches(explanation: &Explanation) -> Vec<Branch> {
    let mut branches: Vec<Branch> = Vec::new();
    let mut decided = |name, decision: &Option<Decision>, more: Vec<String>| {
        if let Some(decision) = decision {
            branches.push((name, decision.result.clone(), [decision.because.clone(), more].concat()));
        }
    };
    let others = others(explanation);
    decided("app", &explanation.app, Vec::new());
    decided("route", &explanation.route, others.clone());
    // Without a route, the others are why there is no answer.
    let why_not = if explanation.route.is_none() { others } else { Vec::new() };
    decided("answer", &explanation.answer, why_not);
    decided("cache", &explanation.cache, Vec::new());
    decided("instance", &explanation.instance, Vec::new());
    let at = branches.iter().position(|(name, ..)| *name == "route").map_or(branches.len(), |at| at + 1);
    let mut rules = explanation.rules.clone();
    rules.extend(explanation.path_for_target.iter().map(|path| format!("the target sees {path}")));
    if let Some((first, rest)) = rules.split_first() {
        branches.insert(at, ("rules", first.clone(), rest.to_vec()));
    }
    branches
}

fn others(explanation: &Explanation) -> Vec<String> {
    let told = |other: &ringway_ports::OtherRoute| format!("not {} -> {}: {}", other.asks, other.to, other.because);
    let mut lines: Vec<String> = explanation.others.iter().take(OTHERS_SHOWN).map(told).collect();
    let more = explanation.others.len().saturating_sub(OTHERS_SHOWN);
    if more > 0 {
        lines.push(format!("nor {} for this path", output::counted(more as u64, "more route")));
    }
    if explanation.elsewhere > 0 {
        lines.push(format!("{} for other paths", output::counted(explanation.elsewhere as u64, "route")));
    }
    lines
}

#[cfg(test)]
mod tests;
