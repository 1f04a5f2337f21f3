//! docs/buckets.md against the code: its table of settings is that of the template, with the defaults that there are.

use std::collections::BTreeMap;

use ringway_manifest::{Bucket, Storage, TEMPLATE, parse};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/buckets.md"))
        .expect("the page is there")
}

/// Of each row: the setting, the values that it names, the default.
fn rows(page: &str) -> Vec<(String, Vec<String>, String)> {
    let table = page.split("<!-- settings").nth(1).and_then(|rest| rest.split("<!-- end of settings").next());
    let rows = table.expect("the table is there").lines().filter(|line| line.starts_with("| `"));
    let quoted = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (quoted(cells[1]).remove(0), quoted(cells[2]), cells[3].trim_matches('`').to_owned())
    })
    .collect()
}

#[test]
fn the_table_has_the_settings_of_the_template_in_its_order() {
    let section = TEMPLATE.split("#[kv.sessions]").nth(1).and_then(|rest| rest.split("\n\n").next());
    let keys: Vec<&str> = section
        .expect("the template has a bucket")
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split(" = ").next())
        .collect();
    let told: Vec<String> = rows(&page()).into_iter().map(|(key, ..)| key).collect();
    assert_eq!(told, keys.into_iter().filter(|key| !key.is_empty()).collect::<Vec<_>>());
}

#[test]
fn the_defaults_are_those_of_the_code() {
    let bucket = Bucket::default();
    let durability = Bucket { storage: Storage::Disk, ..Bucket::default() }.durability();
    let quota = |quota: Option<u32>| quota.unwrap_or(0).to_string();
    let defaults = BTreeMap::from([
        ("consistency", bucket.consistency.to_string()),
        ("replicas", bucket.replicas.to_string()),
        ("storage", bucket.storage.to_string()),
        ("durability", durability.to_string()),
        ("together", bucket.together.to_string()),
        ("limit", bucket.limit.to_string()),
        ("ttl", bucket.ttl.map_or("none".to_owned(), |ttl| format!("{ttl:?}"))),
        ("ops_per_second", quota(bucket.ops_per_second)),
        ("connections", quota(bucket.connections)),
    ]);
    for (key, _, default) in rows(&page()) {
        assert_eq!(defaults.get(key.as_str()), Some(&default), "{key}");
    }
}

#[test]
fn every_value_that_the_page_names_is_one_and_its_recipes_are_valid() {
    for (key, values, _) in rows(&page()) {
        for value in values {
            let is_bare = value.parse::<u32>().is_ok() || ["true", "false"].contains(&value.as_str());
            let value = if is_bare { value } else { format!("\"{value}\"") };
            let storage = if key == "durability" { "storage = \"disk\"\n" } else { "" };
            check(&format!("[kv.b]\n{storage}{key} = {value}\n"));
        }
    }
    let page = page();
    let recipes: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(recipes.len() >= 6, "{recipes:?}");
    recipes.into_iter().for_each(check);
}

fn check(buckets: &str) {
    let text = format!("name = \"a\"\n[[route]]\npath = \"/\"\nto = \"static:public\"\n{buckets}");
    if let Err(faults) = parse("ringway.toml", &text) {
        panic!("{faults}");
    }
}
