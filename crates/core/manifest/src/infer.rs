//! core: the manifest that a directory without one means, by the names that people use anyway.
//!
//! `public/` is served at `/`; the scripts in `cgi-bin/` at `/cgi-bin/`; the `web` line of a `Procfile` answers
//! everything that is not a file, its other lines run without a route; `NAME.wasm` answers `/NAME` and below, or
//! everything if there is nothing else; a lone `index.html` means that the directory itself is the site.

use crate::fault::{Fault, Faults, Place};
use crate::function::{Function, FunctionRun};
use crate::invalid::Invalid;
use crate::listing::{Entry, Found, find};
use crate::manifest::Manifest;
use crate::name::correct_name;
use crate::path_pattern::PathPattern;
use crate::procfile::{self, Process};
use crate::relative_path::tidy;
use crate::route::{Route, Target};
use crate::service::Service;

/// The process of a Procfile that gets the requests.
const WEB: &str = "web";

/// What a directory runs as without a manifest. `listing` need not go deeper than the top; `procfile` is the text of
/// `Procfile`, if there is one.
pub fn infer(dir_name: &str, listing: &[Entry], procfile: Option<&str>) -> Result<Manifest, Faults> {
    let mut manifest = Manifest::new(correct_name(dir_name).unwrap_or_else(|| "app".to_owned()));
    let (processes, mut faults) = procfile::read(procfile.unwrap_or(""));
    let has_web = processes.iter().any(|process| process.name == WEB);
    let has_public = find(listing, "public") == Found::Dir;
    let has_cgi = find(listing, "cgi-bin") == Found::Dir;

    if has_cgi {
        manifest.routes.push(Route::new(below("/cgi-bin"), Target::Cgi { path: "cgi-bin".to_owned() }));
    }
    add_functions(&mut manifest, listing, has_public || has_cgi || !processes.is_empty(), &mut faults);
    if has_public {
        let mut route = Route::new(below(""), Target::Static { dir: "public".to_owned() });
        route.fallthrough = has_web;
        manifest.routes.push(route);
    }
    add_services(&mut manifest, processes, dir_name, &mut faults);
    let is_nothing = manifest.routes.is_empty() && manifest.services.is_empty() && faults.is_empty();
    if is_nothing && matches!(find(listing, "index.html"), Found::File { .. }) {
        manifest.routes.push(Route::new(below(""), Target::Static { dir: ".".to_owned() }));
    } else if is_nothing {
        faults.push(nothing_recognised(dir_name));
    }
    if faults.is_empty() { Ok(manifest) } else { Err(Faults(faults)) }
}

fn add_functions(manifest: &mut Manifest, listing: &[Entry], has_others: bool, faults: &mut Vec<Fault>) {
    let mut files: Vec<String> = listing.iter().filter(|entry| !entry.is_dir).map(|entry| tidy(&entry.path)).collect();
    files.retain(|path| !path.contains('/') && path.ends_with(".wasm"));
    files.sort();
    files.dedup();
    let is_alone = files.len() == 1 && !has_others;
    for file in files {
        let Some(name) = correct_name(file.strip_suffix(".wasm").unwrap_or(&file)) else {
            let invalid = Invalid::new("no function can be named after this file").help("rename it, like `hello.wasm`");
            faults.push(Fault::new(&file, Place::default(), invalid));
            continue;
        };
        let path = if is_alone { below("") } else { below(&format!("/{name}")) };
        let function = Function::new(FunctionRun::Wasm { file: file.clone() });
        if manifest.functions.insert(name.clone(), function).is_some() {
            faults.push(clash(&file, &name));
        }
        manifest.routes.push(Route::new(path, Target::Function(name)));
    }
}

fn add_services(manifest: &mut Manifest, processes: Vec<Process>, dir_name: &str, faults: &mut Vec<Fault>) {
    for Process { name, command } in processes {
        if manifest.functions.contains_key(&name) {
            faults.push(clash(dir_name, &name));
        }
        if name == WEB {
            manifest.routes.push(Route::new(below(""), Target::Service(name.clone())));
        }
        manifest.services.insert(name, Service::new(command));
    }
}

fn below(path: &str) -> PathPattern {
    PathPattern { path: path.to_owned(), prefix: true }
}

fn clash(file: &str, name: &str) -> Fault {
    let invalid = Invalid::new(format!("two things in this directory would be called `{name}`")).help(format!(
        "rename one, or say what they are in `{}`: `ringway init` writes one to begin with",
        crate::FILE_NAME
    ));
    Fault::new(file, Place::default(), invalid)
}

fn nothing_recognised(dir_name: &str) -> Fault {
    let message = format!(
        "nothing to run here: no `{}`, `public/`, `cgi-bin/`, `Procfile`, `*.wasm` or `index.html`",
        crate::FILE_NAME
    );
    let help = "go to the app directory, or run `ringway init` to write a manifest to begin with";
    Fault::new(dir_name, Place::default(), Invalid::new(message).help(help))
}

#[cfg(test)]
mod tests;
