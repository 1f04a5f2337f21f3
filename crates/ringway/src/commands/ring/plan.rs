//! `ringway ring plan`: what a change would move, before anybody makes it.

use anyhow::Result;
use ringway_control::api::{KillPlan, Moved, PlanNode, RingPlan};

use crate::admin_client::{AdminClient, segment};
use crate::cli::RingPlanArgs;
use crate::output::{self, say};

pub async fn run(client: &AdminClient, wanted: &RingPlanArgs, json: bool) -> Result<()> {
    let join = wanted.join.map(|count| format!("join={count}"));
    let listed = |name: &str, nodes: &[String]| {
        let nodes: Vec<String> = nodes.iter().map(|node| segment(node)).collect();
        (!nodes.is_empty()).then(|| format!("{name}={}", nodes.join(",")))
    };
    let query: Vec<String> =
        [join, listed("leave", &wanted.leave), listed("kill", &wanted.kill)].into_iter().flatten().collect();
    let plan: RingPlan = client.get(&format!("/v1/ring/plan?{}", query.join("&"))).await?;
    if json {
        return output::print_json(&plan);
    }
    print(&plan);
    Ok(())
}

fn print(plan: &RingPlan) {
    say!("if {}:", plan.change);
    if plan.replicas_now != plan.replicas_then {
        say!("  copies of each partition: {} -> {}", plan.replicas_now, plan.replicas_then);
    }
    say!("  moves      {}{}", moved(plan.moved), over(plan.moved_over_ideal));
    say!("  ideal      {}", moved(plan.ideal));
    say!("  H % N      {}{}", moved(plan.modulo), over(plan.modulo_over_ideal));
    match plan.minutes {
        Some(minutes) => {
            let rate = ringway_manifest::Bytes(plan.transfer_rate);
            say!("  takes      {} at {rate}/s for each node (ring set --transfer-rate)", took(minutes))
        }
        None => say!("  takes      nothing has to move"),
    }
    let head = ["NODE", "", "PRIMARY", "HELD", "BYTES", "FETCHES"];
    say!("\n{}", output::table(&head, plan.nodes.iter().map(row)));
    if let Some(kill) = &plan.kill {
        say!("\n{}", killed(&plan.change, kill));
    }
    if !plan.unmeasured.is_empty() {
        say!("\nnot measured, as they did not answer: {}", plan.unmeasured.join(", "));
    }
}

fn row(node: &PlanNode) -> Vec<String> {
    let change = |now: u64, then: u64| if now == then { now.to_string() } else { format!("{now} -> {then}") };
    let (now, then) = (output::bytes(node.now.load.bytes), output::bytes(node.then.load.bytes));
    vec![
        node.name.clone(),
        node.role.clone(),
        change(node.now.primary, node.then.primary),
        change(node.now.held, node.then.held),
        if now == then { now } else { format!("{now} -> {then}") },
        if node.fetches.partitions == 0 { "-".to_owned() } else { moved(node.fetches) },
    ]
}

fn moved(moved: Moved) -> String {
    format!("{} copies, {}, {}", moved.partitions, output::counted(moved.keys, "key"), output::bytes(moved.bytes))
}

fn over(ratio: Option<f64>) -> String {
    ratio.map(|ratio| format!("  ({ratio:.2}x the ideal)")).unwrap_or_default()
}

fn took(minutes: f64) -> String {
    match (minutes * 60_000.0) as u64 {
        0..1000 => "less than a second".to_owned(),
        ms => format!("about {}", output::span(ms)),
    }
}

fn killed(change: &str, kill: &KillPlan) -> String {
    let mut lines = vec![format!("when {change}:")];
    for taken in &kill.taken_over {
        lines.push(format!(
            "  at once    {} answers for {} partitions that lost their primary",
            taken.by, taken.partitions
        ));
    }
    for left in &kill.copies_left {
        let copies = match left.copies {
            0 => "no copy left: what was there is lost unless it comes back".to_owned(),
            1 => "1 copy left".to_owned(),
            copies => format!("{copies} copies left"),
        };
        lines.push(format!("  meanwhile  {} partitions have {copies}", left.partitions));
    }
    let wait = output::span(kill.replace_after_ms);
    lines.push(match kill.whole_after_minutes {
        Some(minutes) if kill.replace_after_ms == 0 => format!("  whole      after {}", took(minutes)),
        Some(minutes) => format!("  whole      after {}: for the first {wait} it is waited for", took(minutes)),
        None => "  whole      not before another node joins: there are too few for as many copies".to_owned(),
    });
    lines.join("\n")
}
