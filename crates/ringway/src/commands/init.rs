//! `ringway init`: writes a starter manifest, never over one that is there.

use crate::output::say;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ringway_manifest::{FILE_NAME, TEMPLATE, check_name};

/// The name in the template.
const TEMPLATE_NAME: &str = "my-app";

pub fn run(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let file = dir.join(FILE_NAME);
    if file.exists() {
        bail!("{} is there already: nothing was changed", file.display());
    }
    let full = dir.canonicalize()?;
    let name = full.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name = if check_name(&name).is_ok() { name } else { TEMPLATE_NAME.to_owned() };
    let public = dir.join("public");
    let text = TEMPLATE.replacen(&format!("\"{TEMPLATE_NAME}\""), &format!("\"{name}\""), 1);
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    if !public.exists() {
        fs::create_dir_all(&public)?;
        fs::write(
            public.join("index.html"),
            format!("<!doctype html>\n<title>{name}</title>\n<h1>{name}</h1>\n<p>Served by Ringway.</p>\n"),
        )?;
    }
    say!("wrote {} and {}\nnext: ringway dev {}", file.display(), public.display(), dir.display());
    Ok(())
}
