//! core: the rules for host names, environment variables, methods and headers.

use crate::guess::closest;
use crate::invalid::Invalid;
use crate::token::is_token;

/// Longest host name, by RFC 1035. In bytes.
const HOST_LEN_MAX: usize = 253;

/// Headers that frame or route a message: whoever writes them from outside breaks it (RFC 9110, 7.6.1; RFC 9112, 6).
const HEADERS_RESERVED: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// A host name as it comes in requests, or `*.` and one.
pub(super) fn check_host(host: &str) -> Result<(), Invalid> {
    let bare = host.strip_prefix("*.").unwrap_or(host);
    let is_label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        inner && !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    if host.len() <= HOST_LEN_MAX && bare.split('.').all(is_label) {
        return Ok(());
    }
    let invalid = Invalid::new(format!("`{}` is not a host name", host.escape_debug()));
    let without_scheme = host.split_once("://").map_or(host, |(_, rest)| rest);
    let corrected = without_scheme.split(['/', ':']).next().unwrap_or("").to_ascii_lowercase();
    if corrected != host && check_host(&corrected).is_ok() {
        return Err(invalid.help(format!("write `{corrected}`: lower case, without scheme, port and path")));
    }
    Err(invalid.help("write it like `shop.example.org` or `*.example.org`"))
}

/// A variable that the platform does not set itself.
pub(super) fn check_env(name: &str, value: &str) -> Result<(), Invalid> {
    if name.is_empty() || name.contains(|c: char| c == '=' || c.is_control() || c.is_whitespace()) {
        return Err(Invalid::new(format!("`{}` cannot be an environment variable", name.escape_debug()))
            .help("a name has no blanks and no `=`"));
    }
    if name == "PORT" {
        return Err(
            Invalid::new("every instance gets its own `PORT` from ringway").help("let the process listen on `$PORT`")
        );
    }
    if value.contains('\0') {
        return Err(Invalid::new("an environment variable cannot contain a NUL"));
    }
    Ok(())
}

/// Methods that a route can be for. CONNECT and TRACE are the platform's.
const METHODS: [&str; 16] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "QUERY",
    "PURGE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
];

pub(super) fn check_method(method: &str) -> Result<(), Invalid> {
    if METHODS.contains(&method) {
        return Ok(());
    }
    let invalid = Invalid::new(format!("`{}` is no method that a route can be for", method.escape_debug()));
    let upper = method.to_ascii_uppercase();
    // Spellings are compared in lower case.
    let lower: Vec<String> = METHODS.iter().map(|method| method.to_ascii_lowercase()).collect();
    let meant = closest(&upper.to_ascii_lowercase(), lower.iter().map(String::as_str));
    Err(invalid.help(match meant {
        Some(meant) => format!("write `{}`", meant.to_ascii_uppercase()),
        None => format!("it can be: {}", METHODS.join(", ")),
    }))
}

pub(super) fn check_header_name(name: &str) -> Result<(), Invalid> {
    if is_token(name) {
        return Ok(());
    }
    Err(Invalid::new(format!("`{}` is not a header name", name.escape_debug())))
}

/// A request header that may be set or, with an empty value, taken away.
pub(super) fn check_request_header(name: &str, value: &str) -> Result<(), Invalid> {
    check_header(name, value)?;
    if name.eq_ignore_ascii_case("host") && value.is_empty() {
        return Err(Invalid::new("a request without `Host` is none").help("give it a value, or leave it out"));
    }
    if name.to_ascii_lowercase().starts_with("ringway-") {
        return Err(Invalid::new(format!("`{name}` is what nodes tell each other")));
    }
    Ok(())
}

/// A response header that may be set or, with an empty value, taken away.
pub(super) fn check_header(name: &str, value: &str) -> Result<(), Invalid> {
    check_header_name(name)?;
    if HEADERS_RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(Invalid::new(format!("`{name}` cannot be set: it belongs to the connection")));
    }
    if !value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
        return Err(Invalid::new("a header's value is printable ASCII on one line"));
    }
    Ok(())
}
