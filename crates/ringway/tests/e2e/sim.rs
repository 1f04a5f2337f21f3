//! The simulator as a person types it: what scripts read, the same bytes for the same seed, plots, a cluster's own ring, bad input.

use ringway_testkit::{Scratch, run_in};
use serde_json::Value;

use crate::{binary, cluster};

fn sim(scratch: &Scratch, arguments: &[&str]) -> Vec<Value> {
    let said = run_in(scratch, binary(), &[&["sim", "ring", "--json"], arguments].concat()).ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn words<'a>(rows: &'a [Value], field: &str) -> Vec<&'a str> {
    rows.iter().filter_map(|row| row[field].as_str()).collect()
}

#[test]
fn scripts_get_an_array_with_an_object_for_each_router_and_placement() {
    let scratch = Scratch::new("sim-json");
    let rows = sim(
        &scratch,
        &["--nodes", "200", "--lookups", "2000", "--routers", "all", "--placement", "layout,modulo", "--changes", "5"],
    );
    assert_eq!(words(&rows, "router"), ["index", "table", "neighbours", "fingers"]);
    assert_eq!(words(&rows, "placement"), ["layout", "modulo"]);
    for row in rows.iter().filter(|row| row["router"].is_string()) {
        assert_eq!((&row["nodes"], &row["wrong"], &row["lost"]), (&200.into(), &0.into(), &0.into()), "{row}");
        for field in
            ["lookups", "hops_mean", "hops_p50", "hops_p99", "state_entries_per_node", "lookups_per_cpu_second"]
        {
            assert!(row[field].as_f64().is_some_and(|figure| figure > 0.0), "{field}: {row}");
        }
    }
    let figure = |row: &Value, field: &str| row[field].as_f64().unwrap_or_else(|| panic!("{field}: {row}"));
    let (layout, modulo) = (&rows[4], &rows[5]);
    assert!(figure(layout, "moved_over_ideal") <= 1.02 && figure(layout, "load_max_over_mean") <= 1.02, "{layout}");
    assert!(figure(modulo, "moved_over_ideal") > 100.0, "{modulo}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let scratch = Scratch::new("sim-seed");
    let runs: [&[&str]; 3] = [
        &["--nodes", "300", "--lookups", "2000", "--fail", "30%", "--routers", "fingers,table", "--plot"],
        &["--nodes", "20", "--lookups", "500", "--churn", "1/s", "--plot"],
        &["--nodes", "20", "--placement", "all", "--changes", "3", "--keys", "4096", "--plot"],
    ];
    for (number, arguments) in runs.into_iter().enumerate() {
        let said = |seed: &str, dir: &str| {
            let dir = format!("{dir}{number}");
            let words = [&["--json", "sim", "ring", "--seed", seed], arguments, &[&dir]].concat();
            let said = run_in(&scratch, binary(), &words).ok();
            let plots: Vec<Vec<u8>> = ["svg", "png"].map(|kind| plot(&scratch, &dir, kind)).into();
            (said, plots)
        };
        let first = said("7", "a");
        assert_eq!(first, said("7", "b"), "{arguments:?}");
        assert_ne!(first.0, said("8", "c").0, "{arguments:?}");
        assert!(first.1[0].starts_with(b"<svg") && first.1[1].starts_with(b"\x89PNG"), "{arguments:?}");
    }
}

/// The only plot of that kind in a directory.
fn plot(scratch: &Scratch, dir: &str, kind: &str) -> Vec<u8> {
    let files = std::fs::read_dir(scratch.join(dir)).expect("the directory was made");
    let mut plots = files
        .map(|file| file.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|it| it == kind));
    let plot = plots.next().expect("a plot was written");
    assert_eq!(plots.next(), None);
    std::fs::read(plot).expect("a plot can be read")
}

#[test]
fn the_cluster_s_own_ring_can_be_simulated() {
    let cluster = cluster(3);
    let words = [
        "sim",
        "ring",
        "--from-cluster",
        "--routers",
        "fingers",
        "--lookups",
        "1000",
        "--placement",
        "layout",
        "--changes",
        "2",
    ];
    let rows = cluster.nodes[1].json(&words);
    let rows = rows.as_array().expect("an array");
    assert_eq!((&rows[0]["router"], &rows[0]["nodes"], &rows[0]["lost"]), (&"fingers".into(), &4096.into(), &0.into()));
    assert_eq!((&rows[1]["placement"], &rows[1]["nodes"]), (&"layout".into(), &3.into()));
    let text = cluster.nodes[0].cli(&words).ok();
    assert!(text.contains("4096 virtual nodes of 3 nodes"), "{text}");
}

#[test]
fn experiments_are_listed_and_run_by_name() {
    let scratch = Scratch::new("sim-experiment");
    let list = run_in(&scratch, binary(), &["sim", "ring", "--experiment", "list"]).ok();
    assert!(list.contains("path-length") && list.contains("SIGCOMM 2001"), "{list}");
    let error = run_in(&scratch, binary(), &["sim", "ring", "--experiment", "none"]).fails();
    assert!(error.contains("there is no experiment none") && error.contains("churn-rates"), "{error}");
}

#[test]
fn what_cannot_be_simulated_is_refused_with_what_can() {
    let scratch = Scratch::new("sim-refused");
    let refused: [(&[&str], &str); 12] = [
        (&["--nodes", "0"], "take at least 2"),
        (&["--nodes", "1000000000"], "try 1000000"),
        (&["--nodes", "5000", "--placement", "layout"], "take 2 to 1024"),
        (&["--fail", "200%"], "30% or 0.3"),
        (&["--churn", "abc"], "1/s"),
        (&["--churn", "1/s", "--nodes", "100000000"], "take 2 to 20000"),
        (&["--churn", "500/s"], "take up to 100.0/s"),
        (&["--churn", "1/s", "--routers", "table"], "look up by fingers"),
        (&["--routers", "magic"], "index, table, neighbours or fingers"),
        (&["--placement", "vnodes:0"], "vnodes:NUMBER"),
        (&["--base", "3"], "3"),
        (&["--plot", "/proc/no"], "cannot write plots into /proc/no"),
    ];
    for (arguments, said) in refused {
        let error = run_in(&scratch, binary(), &[&["sim", "ring"], arguments].concat()).fails();
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}
