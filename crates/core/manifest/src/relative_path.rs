//! core: a path inside the app directory. It must not lead out of it.

use crate::invalid::Invalid;

/// Checks and tidies: `./public/` is `public`, the directory itself is `.`.
pub(crate) fn relative_path(text: &str) -> Result<String, Invalid> {
    let shown = text.escape_debug();
    if text.is_empty() {
        return Err(Invalid::new("the path is empty").help("write a path relative to the app directory"));
    }
    if text.contains(char::is_control) {
        return Err(Invalid::new(format!("the path `{shown}` contains a control character")));
    }
    if text.starts_with('/') {
        return Err(Invalid::new(format!("the path `{shown}` is absolute"))
            .help("paths are relative to the app directory, and only what is in it is deployed"));
    }
    if text.split('/').any(|part| part == "..") {
        return Err(Invalid::new(format!("the path `{shown}` leads out of the app directory"))
            .help("only what is in the app directory is deployed: write it without `..`"));
    }
    Ok(tidy(text))
}

/// Without empty and `.` parts; `.` if nothing is left.
pub(crate) fn tidy(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}
