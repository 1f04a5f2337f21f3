//! core: whether the files that a manifest names are there. The listing comes from whoever has the directory: before a
//! deploy the command line, after it the node that unpacked it.

use std::collections::BTreeMap;

use crate::fault::{Fault, Place};
use crate::function::FunctionRun;
use crate::guess::closest;
use crate::invalid::Invalid;
use crate::listing::{Entry, Found, find};
use crate::manifest::Manifest;
use crate::parse::Parsed;
use crate::relative_path::tidy;
use crate::route::Target;

/// What `spa` answers with.
const SPA_PAGE: &str = "index.html";

/// A file or directory that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNeeded {
    /// Relative to the app directory, tidy.
    pub path: String,
    pub kind: FileKind,
    /// Which value names it: `route.0.to`, `function.price.wasm`.
    pub at: String,
}

/// What a [`FileNeeded`] must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Dir,
    File,
    Executable,
    /// A directory of scripts, or one script.
    DirOrExecutable,
}

impl Manifest {
    /// What must be in the app directory once everything is built.
    pub fn files_needed(&self) -> Vec<FileNeeded> {
        let of_routes = self.routes.iter().enumerate().filter_map(|(i, route)| {
            let at = format!("route.{i}.to");
            match &route.to {
                Target::Static { dir } => Some(FileNeeded { path: dir.clone(), kind: FileKind::Dir, at }),
                // A directory's scripts are all below its path.
                Target::Cgi { path } if !route.path.prefix => {
                    Some(FileNeeded { path: path.clone(), kind: FileKind::Executable, at })
                }
                Target::Cgi { path } => Some(FileNeeded { path: path.clone(), kind: FileKind::DirOrExecutable, at }),
                Target::Service(_) | Target::Function(_) | Target::Redirect(_) => None,
            }
        });
        let of_functions = self.functions.iter().filter_map(|(name, function)| match &function.run {
            FunctionRun::Wasm { file } => {
                Some(FileNeeded { path: file.clone(), kind: FileKind::File, at: format!("function.{name}.wasm") })
            }
            FunctionRun::Cgi { script } => Some(FileNeeded {
                path: script.clone(),
                kind: FileKind::Executable,
                at: format!("function.{name}.cgi"),
            }),
            FunctionRun::Lambda { .. } => None,
        });
        let of_spas = self.routes.iter().enumerate().filter_map(|(i, route)| match &route.to {
            Target::Static { dir } if route.spa => {
                let path = tidy(&format!("{dir}/{SPA_PAGE}"));
                Some(FileNeeded { path, kind: FileKind::File, at: format!("route.{i}.spa") })
            }
            _ => None,
        });
        of_routes.chain(of_spas).chain(of_functions).collect()
    }

    /// [`Parsed::check_files`] for a manifest whose text is not at hand: the faults have no line.
    pub fn check_files(&self, listing: &[Entry]) -> Vec<Fault> {
        faults(self, crate::FILE_NAME, &BTreeMap::new(), listing)
    }
}

impl Parsed {
    /// What the manifest names and the listing has not. Empty: it can be deployed.
    pub fn check_files(&self, listing: &[Entry]) -> Vec<Fault> {
        faults(&self.manifest, &self.file, &self.places, listing)
    }
}

fn faults(manifest: &Manifest, file: &str, places: &BTreeMap<String, Place>, listing: &[Entry]) -> Vec<Fault> {
    let mut faults: Vec<Fault> = manifest
        .files_needed()
        .into_iter()
        .filter_map(|needed| {
            let invalid = check(manifest, &needed, listing).err()?;
            let place = places.get(&needed.at).cloned().unwrap_or_default();
            Some(Fault::new(file, place, invalid))
        })
        .collect();
    faults.sort_by_key(|fault| (fault.line, fault.column));
    faults
}

fn check(manifest: &Manifest, needed: &FileNeeded, listing: &[Entry]) -> Result<(), Invalid> {
    let FileNeeded { path, kind, at } = needed;
    let is_route = at.starts_with("route.");
    match (find(listing, path), kind) {
        (Found::Dir, FileKind::Dir | FileKind::DirOrExecutable) => Ok(()),
        (Found::File { .. }, FileKind::File) => Ok(()),
        (Found::File { is_executable: true }, FileKind::Executable | FileKind::DirOrExecutable) => Ok(()),
        (Found::Nothing, _) => Err(missing(manifest, needed, listing)),
        (Found::File { .. }, FileKind::Dir) => {
            Err(Invalid::new(format!("`{path}` is a file, not a directory")).help("name the directory that it is in"))
        }
        (Found::File { .. }, _) => {
            Err(Invalid::new(format!("the script `{path}` is not executable")).help(format!("run `chmod +x {path}`")))
        }
        (Found::Dir, FileKind::Executable) if is_route => {
            Err(Invalid::new(format!("`{path}` is a directory, and the route is for one path alone"))
                .help("let the route's `path` end in `/*` to reach the scripts in it"))
        }
        (Found::Dir, _) => Err(Invalid::new(format!("`{path}` is a directory, not a file"))),
    }
}

fn missing(manifest: &Manifest, needed: &FileNeeded, listing: &[Entry]) -> Invalid {
    let invalid = Invalid::new(format!("there is no `{}` in the app directory", needed.path));
    let paths: Vec<String> = listing.iter().map(|entry| tidy(&entry.path)).collect();
    if let Some(meant) = closest(&needed.path, paths.iter().map(String::as_str)) {
        return invalid.help(format!("did you mean `{meant}`?"));
    }
    if is_built(manifest, needed) {
        return invalid.help("was it to come from the `build` command? it did not");
    }
    invalid
}

fn is_built(manifest: &Manifest, needed: &FileNeeded) -> bool {
    let of_function = manifest
        .functions
        .iter()
        .any(|(name, function)| function.build.is_some() && needed.at.starts_with(&format!("function.{name}.")));
    manifest.build.is_some() || of_function
}

#[cfg(test)]
mod tests;
