//! docs/routes.md against the code: its table of settings is that of the template, its values and recipes are valid.

use ringway_manifest::{TEMPLATE, parse};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/routes.md")).expect("the page is there")
}

/// Of each row: the setting and the values that it names.
fn rows(page: &str) -> Vec<(String, Vec<String>)> {
    let table = page.split("<!-- settings").nth(1).and_then(|rest| rest.split("<!-- end of settings").next());
    let rows = table.expect("the table is there").lines().filter(|line| line.starts_with("| `"));
    let quoted = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (quoted(cells[1]).remove(0), quoted(cells[2]))
    })
    .collect()
}

/// The keys of the template's routes, in the order in which they come first. `## ` begins one that goes not with its neighbours.
fn keys_of_template() -> Vec<String> {
    let routes = TEMPLATE.split("[[route]]").skip(1).filter_map(|rest| rest.split("\n\n").next());
    let mut keys = Vec::new();
    for line in routes.flat_map(str::lines) {
        let line = line.trim_start_matches("## ").trim_start_matches('#');
        let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) else { continue };
        if !keys.contains(&key.to_owned()) {
            keys.push(key.to_owned());
        }
    }
    keys
}

#[test]
fn the_table_has_the_settings_of_the_template_in_its_order() {
    let told: Vec<String> = rows(&page()).into_iter().map(|(key, _)| key).collect();
    assert_eq!(told, keys_of_template());
}

#[test]
fn every_key_that_there_is_stands_in_the_table() {
    let faults = parse("f", "name = \"a\"\n[[route]]\nquux = 1\n").expect_err("an unknown key").to_string();
    let known = faults.split("known keys: ").nth(1).and_then(|rest| rest.lines().next()).expect("they are listed");
    let told: Vec<String> = rows(&page()).into_iter().map(|(key, _)| format!("`{key}`")).collect();
    for key in known.split(", ") {
        assert!(told.contains(&key.to_owned()), "{key} is not in docs/routes.md");
    }
}

#[test]
fn every_value_that_the_page_names_is_one() {
    for (key, values) in rows(&page()) {
        for value in values {
            check(&route_with(&key, &value));
        }
    }
}

/// A route of the kind that the key is for.
fn route_with(key: &str, value: &str) -> String {
    let is_bare = value.parse::<u32>().is_ok() || ["true", "false"].contains(&value);
    let shown = match key {
        "methods" => format!("[\"{value}\"]"),
        _ if is_bare => value.to_owned(),
        _ => format!("\"{value}\""),
    };
    let path = if key == "path" { String::new() } else { "path = \"/a/*\"\n".to_owned() };
    let to = match key {
        "to" | "redirect" => "",
        "status" => "redirect = \"/new/*\"\n",
        "spa" | "immutable" | "fallthrough" => "to = \"static:public\"\n",
        _ => "to = \"api\"\n",
    };
    let with = if key == "per" || key == "burst" { "requests_per_second = 1\n" } else { "" };
    format!("[[route]]\n{path}{to}{with}{key} = {shown}\n[service.api]\nrun = \"./api\"\n")
}

#[test]
fn the_recipes_are_valid() {
    let page = page();
    let recipes: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(recipes.len() >= 6, "{recipes:?}");
    for recipe in recipes {
        let mut text = recipe.to_owned();
        let targets = recipe.lines().filter_map(|line| line.strip_prefix("to = \"")?.strip_suffix('"'));
        for target in targets.filter(|target| !target.contains(':')).collect::<std::collections::BTreeSet<_>>() {
            if !recipe.contains(&format!("[service.{target}]")) {
                text += &format!("[service.{target}]\nrun = \"./{target}\"\n");
            }
        }
        check(&text);
    }
}

fn check(text: &str) {
    match parse("ringway.toml", &format!("name = \"a\"\nhosts = [\"*.example.org\"]\n{text}")) {
        Err(faults) => panic!("{text}\n{faults}"),
        Ok(parsed) => assert_eq!(parsed.warnings, [], "{text}"),
    }
}
