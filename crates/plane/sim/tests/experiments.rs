//! The experiments: the same seed gives the same bytes, and the figures are those of the papers.

use std::collections::HashSet;
use std::time::Duration;

use ringway_sim::churn::Churn;
use ringway_sim::experiment::find;
use ringway_sim::table::{Cell, Table};
use ringway_sim::world::WorldConfig;
use ringway_sim::{Report, Scale, experiments};

/// Everything that a report shows.
fn bytes(report: &Report) -> String {
    let plots = report.plots.iter().map(|plot| plot.svg().expect("plots can be drawn"));
    let json = serde_json::to_string(report).expect("reports are plain data");
    plots.fold(json, |text, svg| text + &svg)
}

fn number(table: &Table, row: usize, column: &str) -> f64 {
    let index = table.columns.iter().position(|name| name == column).expect("the table has this column");
    match &table.rows[row][index] {
        Cell::Count(count) => *count as f64,
        Cell::Number(number, _) => *number,
        cell => panic!("{column} is {cell}"),
    }
}

fn full(name: &str) -> Report {
    find(name).expect("the experiment exists").report(1, Scale::Full)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for experiment in experiments() {
        let report = experiment.report(1, Scale::Quick);
        assert_eq!(bytes(&report), bytes(&experiment.report(1, Scale::Quick)), "{}", experiment.name);
        assert_ne!(bytes(&report), bytes(&experiment.report(2, Scale::Quick)), "{}", experiment.name);
        assert!(!report.tables.is_empty() && report.notes.is_empty(), "{}: {:?}", experiment.name, report.notes);
    }
}

#[test]
fn names_of_experiments_and_plots_are_unique() {
    let mut seen = HashSet::new();
    for experiment in experiments() {
        assert!(seen.insert(experiment.name.to_owned()));
        for plot in experiment.report(1, Scale::Quick).plots {
            assert!(seen.insert(format!("{}.svg", plot.name)));
        }
    }
}

#[test]
fn after_half_of_all_nodes_died_lookups_are_as_long_as_in_the_paper_and_none_fails() {
    let report = full("failures");
    let table = &report.tables[0];
    for row in 0..table.rows.len() {
        assert!((number(table, row, "path") - number(table, row, "paper: path")).abs() < 0.25);
        assert!((number(table, row, "timeouts") - number(table, row, "paper: timeouts")).abs() < 0.5);
        assert_eq!(number(table, row, "failed lookups"), 0.0);
    }
}

#[test]
fn as_many_unreplicated_keys_are_lost_as_nodes_died() {
    let report = find("unreplicated").expect("the experiment exists").report(1, Scale::Quick);
    let table = &report.tables[0];
    for row in 0..table.rows.len() {
        assert!((number(table, row, "ours: failed") - number(table, row, "paper: failed")).abs() < 0.1);
    }
}

#[test]
fn the_path_is_half_the_logarithm_of_the_number_of_nodes() {
    let report = find("path-length").expect("the experiment exists").report(1, Scale::Quick);
    let table = &report.tables[0];
    let last = table.rows.len() - 1;
    assert_eq!(number(table, last, "nodes"), 512.0);
    assert!((number(table, last, "base 2: mean") - (number(table, last, "1 + half log2 N") - 0.14)).abs() < 0.3);
}

#[test]
fn under_churn_no_lookup_is_wrong_but_plain_ones_are() {
    let run = |plain| {
        let churn = Churn {
            nodes: 50,
            rate: 1.0,
            graceful: 0.5,
            lookups: 20_000,
            lookups_per_second: 200.0,
            warm_up: Duration::from_secs(10),
        };
        churn.run(WorldConfig { seed: 1, plain, ..WorldConfig::default() }).expect("the ring settles")
    };
    let (checked, plain) = (run(false), run(true));
    assert_eq!((checked.wrong, checked.answers_wrong), (0, 0), "{:?}", checked.wrong_kept);
    assert_eq!(checked.lost, 0, "of {}", checked.ended());
    assert!(plain.wrong > 0);
}
