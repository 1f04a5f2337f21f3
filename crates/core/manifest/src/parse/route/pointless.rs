//! core: keys that do nothing for the kind of target that a route leads to.

use toml::de::DeValue;

use crate::invalid::Invalid;
use crate::parse::section::Section;
use crate::route::{Route, Target};

/// Which kinds of target a key is for.
struct Use {
    key: &'static str,
    kinds: &'static [Kind],
    /// What to do instead.
    help: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Static,
    Cgi,
    Service,
    Function,
    Redirect,
}

const APPS: &[Kind] = &[Kind::Cgi, Kind::Service, Kind::Function];
const ADDRESSED: &[Kind] = &[Kind::Service, Kind::Function];

const USES: [Use; 13] = [
    Use { key: "strip", kinds: ADDRESSED, help: "files and scripts are mounted at the route's path anyway" },
    Use { key: "rewrite", kinds: ADDRESSED, help: "let `to` lead to the directory, the file or the script itself" },
    Use { key: "spa", kinds: &[Kind::Static], help: "a service or function decides itself what it answers" },
    Use {
        key: "immutable",
        kinds: &[Kind::Static],
        help: "let the answer say it: `Cache-Control: max-age=31536000, immutable`",
    },
    Use { key: "body_max", kinds: APPS, help: "nothing reads a body here" },
    Use { key: "timeout", kinds: APPS, help: "nothing is waited for here" },
    Use { key: "request_headers", kinds: APPS, help: "nobody sees the request; `headers` are set on the answer" },
    Use {
        key: "cache",
        kinds: &[Kind::Static, Kind::Cgi, Kind::Service, Kind::Function],
        help: "browsers keep 301 and 308 by themselves; say more with `headers`",
    },
    Use { key: "cache_key", kinds: APPS, help: "what does not come from an app is not kept by the cache tier" },
    Use {
        key: "balance",
        kinds: &[Kind::Service],
        help: "only a service's instances are balanced by Ringway's front end",
    },
    Use { key: "retries", kinds: &[Kind::Service], help: "only requests to a service are sent again" },
    Use { key: "hedge", kinds: &[Kind::Service], help: "only requests to a service are sent twice" },
    Use { key: "in_flight_max", kinds: APPS, help: "it is answered at once" },
];

pub(super) fn report(section: &mut Section<'_, '_>, route: &Route) {
    report_fallthrough(section, route);
    let kind = Kind::of(&route.to);
    for Use { key, kinds, help } in &USES {
        let is_said = section.peek(key).is_some_and(|value| !matches!(value, DeValue::Boolean(false)));
        if is_said && !kinds.contains(&kind) {
            let message = format!("`{key}` has no effect on {}", shown(&route.to));
            section.warn(key, Invalid::new(message).help(*help));
        }
    }
    if kind == Kind::Static && !route.path.prefix {
        let message = format!("the route `{}` to a directory is for that path alone", route.path);
        section.warn("path", Invalid::new(message).help(format!("write `{}/*` for everything in it", route.path)));
    }
    report_tail(section, route);
}

fn report_fallthrough(section: &mut Section<'_, '_>, route: &Route) {
    if route.fallthrough && Kind::of(&route.to) != Kind::Static {
        let message = format!("`fallthrough` on {}, which answers everything itself", shown(&route.to));
        section.fault("fallthrough", Invalid::new(message).help("only static routes can pass on what is not a file"));
    }
    if route.strip && route.rewrite.is_some() {
        let message = format!("both `strip` and `rewrite`{}", section.place());
        section
            .fault("rewrite", Invalid::new(message).help("`rewrite = \"/*\"` is what `strip` does: keep one of them"));
    }
}

/// `*` that stands for nothing.
fn report_tail(section: &mut Section<'_, '_>, route: &Route) {
    let (key, template) = match (&route.to, &route.rewrite) {
        (Target::Redirect(redirect), _) => ("redirect", &redirect.to),
        (_, Some(rewrite)) => ("rewrite", rewrite),
        _ => return,
    };
    if template.tail && !route.path.prefix {
        let message = format!("the `*` of `{template}` is always empty: `{}` is for that path alone", route.path);
        section.warn(key, Invalid::new(message).help(format!("write `path = \"{}/*\"`", route.path)));
    }
}

fn shown(to: &Target) -> String {
    match to {
        Target::Redirect(_) => "a redirect".to_owned(),
        to => format!("a route to `{to}`"),
    }
}

impl Kind {
    fn of(to: &Target) -> Kind {
        match to {
            Target::Static { .. } => Kind::Static,
            Target::Cgi { .. } => Kind::Cgi,
            Target::Service(_) => Kind::Service,
            Target::Function(_) => Kind::Function,
            Target::Redirect(_) => Kind::Redirect,
        }
    }
}
