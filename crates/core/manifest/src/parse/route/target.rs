//! core: reads where a route leads: the keys `to`, or `redirect` and `status`.

use crate::guess::closest;
use crate::invalid::Invalid;
use crate::parse::Names;
use crate::parse::section::Section;
use crate::redirect::Redirect;
use crate::relative_path::relative_path;
use crate::route::Target;

pub(super) fn read(section: &mut Section<'_, '_>, names: &Names<'_>) -> Option<Target> {
    let to = section.read("to", "a string such as \"static:public\"", |text| read_target(text, names));
    section.remember("to");
    let redirect = section.read("redirect", "an address such as \"/new/*\"", Redirect::parse);
    let status = read_status(section);
    match (section.has("to"), section.has("redirect")) {
        (true, true) => {
            let message = format!("both `to` and `redirect`{}", section.place());
            section.fault("redirect", Invalid::new(message).help("a route leads to one thing: keep one of them"));
            None
        }
        (false, false) => {
            section.require("to", "\"static:public\"");
            None
        }
        (true, false) => to,
        (false, true) => {
            let redirect = redirect?;
            Some(Target::Redirect(Redirect { status: status.unwrap_or(redirect.status), ..redirect }))
        }
    }
}

fn read_status(section: &mut Section<'_, '_>) -> Option<u16> {
    let status = section.count("status", 100..=599)?;
    if !section.has("redirect") {
        let message = format!("`status`{}, which is no redirect", section.place());
        section.fault("status", Invalid::new(message).help("it goes with `redirect = \"/new/*\"`"));
        return None;
    }
    let found = Redirect::STATUSES.into_iter().find(|known| u32::from(*known) == status);
    if found.is_none() {
        let help =
            "301 and 308 are for good (308 keeps the method), 302 and 307 for now (307 keeps it), 303 makes it GET";
        let invalid = Invalid::new(format!("{status} is no redirect")).help(help);
        let span = section.span_of("status");
        section.refuse("status", &span, invalid);
    }
    found
}

fn read_target(text: &str, names: &Names<'_>) -> Result<Target, Invalid> {
    match text.split_once(':') {
        Some(("static", dir)) => Ok(Target::Static { dir: relative_path(dir)? }),
        Some(("cgi", path)) => Ok(Target::Cgi { path: relative_path(path)? }),
        Some((kind, rest)) => Err(unknown_kind(text, kind, rest)),
        None if names.services.contains(&text) => Ok(Target::Service(text.to_owned())),
        None if names.functions.contains(&text) => Ok(Target::Function(text.to_owned())),
        None => Err(unknown_name(text, names)),
    }
}

fn unknown_kind(text: &str, kind: &str, rest: &str) -> Invalid {
    let help = match kind {
        "service" | "function" | "wasm" | "lambda" => {
            format!("services and functions go by their name alone: `{rest}`")
        }
        "http" | "https" => {
            "a route leads to what the app has: `static:DIR`, `cgi:PATH`, a service or a function".to_owned()
        }
        _ => match closest(kind, ["static", "cgi"]) {
            Some(meant) => format!("did you mean `{meant}:{rest}`?"),
            None => "there are `static:DIR`, `cgi:PATH`, and the names of services and functions".to_owned(),
        },
    };
    Invalid::new(format!("`{text}` leads to an unknown kind of target")).help(help)
}

fn unknown_name(text: &str, names: &Names<'_>) -> Invalid {
    let all = || names.services.iter().chain(&names.functions).copied();
    let help = match (closest(text, all()), all().next()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some(_)) => {
            let list: Vec<String> = all().map(|name| format!("`{name}`")).collect();
            format!("there are {}; a directory of files is `static:{text}`", list.join(", "))
        }
        (None, None) => {
            format!("add `[service.{text}]` or `[function.{text}]`; a directory of files is `static:{text}`")
        }
    };
    Invalid::new(format!("no service or function is called `{text}`")).help(help)
}
