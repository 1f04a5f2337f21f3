//! The crate table in ARCHITECTURE.md and the manifests say the same: which crates there are, and who may import whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate is two levels down").to_owned()
}

fn read_manifest(file: &Path) -> toml::Table {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// `layer/name` (or `node`, `ringway`) of every crate with the own crates its manifest names, dev-dependencies included.
fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let root = root();
    let mut files = Vec::new();
    for layer in ["core", "base", "tier", "plane", "test"] {
        let dir = root.join("crates").join(layer);
        for entry in fs::read_dir(&dir).expect("the layer's folder is there") {
            files.push(entry.expect("the folder is readable").path().join("Cargo.toml"));
        }
    }
    files.push(root.join("crates/node/Cargo.toml"));
    files.push(root.join("crates/ringway/Cargo.toml"));
    let workspace = read_manifest(&root.join("Cargo.toml"));
    let path_of = |package: &str| {
        let path =
            workspace["workspace"]["dependencies"][package]["path"].as_str().expect("own crates are named by path");
        path.strip_prefix("crates/").expect("own crates are in crates/").to_owned()
    };
    files
        .iter()
        .map(|file| {
            let manifest = read_manifest(file);
            let dir = file.parent().expect("a manifest is in a directory");
            let name = dir.strip_prefix(root.join("crates")).expect("crates are in crates/").display().to_string();
            let tables =
                ["dependencies", "dev-dependencies"].into_iter().filter_map(|table| manifest.get(table)?.as_table());
            let own =
                tables.flat_map(|table| table.keys()).filter(|key| key.starts_with("ringway-")).map(|key| path_of(key));
            (name, own.collect())
        })
        .collect()
}

/// The table: crate to what it may import (`core/*` for a whole layer).
fn table() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the document is there");
    let table = text.split("<!-- crate table: checked by a test -->").nth(1).expect("the table is marked");
    let table = table.split("<!-- end of crate table -->").next().expect("the table's end is marked");
    table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let mut allowed: Vec<String> = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
            for layer in ["core", "base", "tier", "plane"] {
                if cells[2].contains(&format!("all of {layer}")) {
                    allowed.push(format!("{layer}/*"));
                }
            }
            (cells[0].trim_matches('`').to_owned(), allowed)
        })
        .collect()
}

#[test]
fn the_table_names_exactly_the_crates_there_are() {
    let written: BTreeSet<String> = table().into_keys().collect();
    let there: BTreeSet<String> = manifests().into_keys().collect();
    assert_eq!(written, there);
}

#[test]
fn no_crate_imports_what_the_table_does_not_allow() {
    let table = table();
    let mut faults = Vec::new();
    for (name, imports) in manifests() {
        let allowed = &table[&name];
        for import in imports {
            let layer = format!("{}/*", import.split('/').next().unwrap_or_default());
            if !allowed.contains(&import) && !allowed.contains(&layer) {
                faults.push(format!("{name} imports {import}"));
            }
        }
    }
    assert!(faults.is_empty(), "not in ARCHITECTURE.md's table:\n{}", faults.join("\n"));
}

#[test]
fn tiers_and_cores_keep_to_their_side() {
    for (name, imports) in manifests() {
        let layer = name.split('/').next().unwrap_or_default();
        for import in &imports {
            let from = import.split('/').next().unwrap_or_default();
            let sideways = layer == "tier" && from == "tier";
            let upwards = (layer == "core" && from != "core") || (layer == "base" && !["core", "base"].contains(&from));
            assert!(!sideways && !upwards, "{name} imports {import}");
        }
    }
}
