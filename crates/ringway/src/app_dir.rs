//! An app directory on this machine: its manifest (written or inferred), its files, its build.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use ringway_manifest::{Entry, FILE_NAME, Fault, Faults, Manifest, infer, parse};

use crate::build_app::build_app;
use crate::pack::Contents;

/// Opened and checked: what is wrong has been said by then, all of it.
pub struct AppDir {
    dir: PathBuf,
    /// The app's name if there is no manifest.
    pub dir_name: String,
    manifest: Manifest,
    warnings: Vec<Fault>,
}

/// The packed files, in a temporary file that goes with it.
pub struct Package {
    path: PathBuf,
    pub len: u64,
}

impl AppDir {
    pub fn open(dir: &Path) -> Result<Self> {
        let full = dir.canonicalize().with_context(|| format!("there is no directory {}", dir.display()))?;
        let dir_name = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = full.join(FILE_NAME);
        let (manifest, warnings) = match fs::read_to_string(&file) {
            Ok(text) => {
                let shown = dir.join(FILE_NAME).display().to_string();
                let parsed = parse(&shown, &text).map_err(|faults| faulty(&faults))?;
                (parsed.manifest, parsed.warnings)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (inferred(&full, &dir_name)?, Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { dir: full, dir_name, manifest, warnings })
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    pub fn print_warnings(&self) {
        self.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    }

    pub fn build(&self) -> Result<()> {
        build_app(&self.dir, &self.manifest)
    }

    /// Packs the directory, after checking that the files which the manifest names are there (a build may have made them).
    pub fn package(&self) -> Result<Package> {
        let contents = Contents::of(&self.dir)?;
        let missing = Faults(self.manifest.check_files(&listing(&self.dir, &contents)?));
        if !missing.0.is_empty() {
            return Err(faulty(&missing));
        }
        let path = std::env::temp_dir().join(format!("ringway-{:016x}.tar.zst", ringway_rt::random::number()));
        let mut package = Package { path, len: 0 };
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&package.path)
            .with_context(|| format!("cannot write {}", package.path.display()))?;
        fs::set_permissions(&package.path, fs::Permissions::from_mode(0o600))?;
        contents.pack(&file, |_| {})?;
        package.len = file.metadata()?.len();
        Ok(package)
    }
}

impl Package {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn inferred(dir: &Path, dir_name: &str) -> Result<Manifest> {
    let contents = Contents::of(dir)?;
    let procfile = fs::read_to_string(dir.join("Procfile")).ok();
    infer(dir_name, &listing(dir, &contents)?, procfile.as_deref()).map_err(|faults| faulty(&faults))
}

fn listing(dir: &Path, contents: &Contents) -> Result<Vec<Entry>> {
    contents
        .listing()
        .map(|(path, is_dir)| {
            let mode = fs::metadata(dir.join(path))?.permissions().mode();
            Ok(Entry { path: path.to_string_lossy().into_owned(), is_dir, is_executable: !is_dir && mode & 0o111 != 0 })
        })
        .collect()
}

fn faulty(faults: &Faults) -> anyhow::Error {
    let count = faults.0.len();
    anyhow!("the app cannot be used as it is ({count} fault{}):\n{faults}", if count == 1 { "" } else { "s" })
}
