//! core: the rules for host names, environment variables and response headers.

use crate::invalid::Invalid;

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

/// A response header that may be set.
pub(super) fn check_header(name: &str, value: &str) -> Result<(), Invalid> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(Invalid::new(format!("`{}` is not a header name", name.escape_debug())));
    }
    if HEADERS_RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(Invalid::new(format!("`{name}` cannot be set: it belongs to the connection")));
    }
    if !value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
        return Err(Invalid::new("a header's value is printable ASCII on one line"));
    }
    Ok(())
}
