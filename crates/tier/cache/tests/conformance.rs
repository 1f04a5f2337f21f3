//! What docs/http-conformance.md says is tested is tested, and is where it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// All functions with `#[test]` or the like above them, of all crates.
fn tests_in(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).expect("a directory of the repository").flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("source text");
            found.extend(test_names(&text));
        }
    }
}

fn test_names(text: &str) -> impl Iterator<Item = String> {
    let mut is_test = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let name = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?.split('(').next()?;
        std::mem::take(&mut is_test).then(|| name.to_owned())
    })
}

/// The cells of a table's rows.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|---"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<&str>>())
}

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_test_that_the_table_of_conformance_names_is_there() {
    let text = fs::read_to_string(root().join("docs/http-conformance.md")).expect("the page is there");
    let mut known = BTreeSet::new();
    tests_in(&root().join("crates"), &mut known);
    let (mut named, mut faults) = (0, Vec::new());
    for row in rows(&text).filter(|row| row.first() != Some(&"clause")) {
        let tests = row.last().map(|cell| quoted(cell)).unwrap_or_default();
        if tests.is_empty() {
            faults.push(format!("no test: {}", row.join(" | ")));
        }
        named += tests.len();
        faults
            .extend(tests.iter().filter(|test| !known.contains(**test)).map(|test| format!("there is no test {test}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(named > 50, "only {named} tests are named: is the table still read?");
}

#[test]
fn every_place_that_the_table_of_conformance_names_is_there() {
    let text = fs::read_to_string(root().join("docs/http-conformance.md")).expect("the page is there");
    let own = root().join("crates/tier/cache/src");
    let is_there = |place: &str| {
        own.join(place).with_extension("rs").is_file()
            || root().join(place).exists()
            || root().join(format!("{place}.rs")).is_file()
    };
    let places = rows(&text).filter(|row| row.len() == 4 && row[0] != "clause").flat_map(|row| quoted(row[2]));
    let missing: Vec<&str> = places.filter(|place| !is_there(place)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
