//! `ringway sim ring --experiment NAME`: the experiments of the papers, our figure beside theirs.

use anyhow::{Result, bail};
use ringway_sim::table::Table;
use ringway_sim::{Scale, experiment, experiments};

use super::plots::Plots;
use super::seed;
use crate::cli::SimRingArgs;
use crate::output::{self, say};
use crate::progress::spinner;

pub fn run(name: &str, wanted: &SimRingArgs, plots: &Plots, json: bool) -> Result<()> {
    if name == "list" {
        return list(json);
    }
    let Some(experiment) = experiment::find(name) else {
        let names: Vec<&str> = experiments().iter().map(|experiment| experiment.name).collect();
        bail!("there is no experiment {name}: it is one of {}", names.join(", "));
    };
    let bar = spinner(format!("{}: {}", experiment.name, experiment.what));
    let report = experiment.report(seed(wanted), Scale::Full);
    bar.finish_and_clear();
    plots.write(&report.plots)?;
    if json {
        return output::print_json(&report);
    }
    say!("{} ({}), seed {}", experiment.what, experiment.source, report.seed);
    report.tables.iter().for_each(tell);
    report.notes.iter().for_each(|note| say!("\n{note}"));
    plots.tell();
    Ok(())
}

fn list(json: bool) -> Result<()> {
    let all = experiments().iter();
    if json {
        let all: Vec<serde_json::Value> =
            all.map(|it| serde_json::json!({ "name": it.name, "what": it.what, "source": it.source })).collect();
        return output::print_json(&all);
    }
    let rows = all.map(|it| [it.name, it.what, it.source].map(str::to_owned).to_vec());
    say!("{}", output::table(&["NAME", "WHAT IS MEASURED", "SOURCE"], rows));
    Ok(())
}

fn tell(table: &Table) {
    let head: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(ToString::to_string).collect());
    say!("\n{}\n{}", table.title, output::table(&head, rows));
}
