//! Core: meta-variables (RFC 3875, section 4) and which part of a path is whose.

use std::net::SocketAddr;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// What a script gets as its environment. Values are bytes: header fields and decoded paths need not be UTF-8.
pub type Variables = Vec<(String, Vec<u8>)>;

/// A request on its way to a script.
#[derive(Debug)]
pub struct Script<'a> {
    pub method: &'a str,
    /// As the client sent it, with the query.
    pub request_uri: &'a str,
    /// Without the `?`; empty if there is none.
    pub query: &'a str,
    /// `HTTP/1.1`
    pub protocol: &'a str,
    pub headers: &'a HeaderMap,
    /// Of the body that is handed over. `None`: there is no body.
    pub content_length: Option<u64>,
    /// The part of the path that names the script, decoded.
    pub script_name: &'a [u8],
    /// The rest of the path, decoded: empty or with a leading slash.
    pub path_info: &'a [u8],
    /// Absolute path of the script's file.
    pub script_filename: &'a str,
    /// Absolute path of the directory that `path_info` is translated into.
    pub document_root: &'a str,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub tls: bool,
    /// `Ringway/0.1`
    pub software: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    #[error("the path contains a zero byte")]
    ZeroByte,
    #[error("the path contains a `.`, `..`, empty or hidden part where a script's name is expected")]
    Name,
}

/// The environment for `script`. Who the client is (`AUTH_TYPE`, `REMOTE_USER`) is not set, because nobody has checked it; so
/// the script gets `HTTP_AUTHORIZATION` and may check it itself. `Proxy` is left out: as `HTTP_PROXY` it would redirect the
/// script's own requests (httpoxy). So is a field with `_` in its name, which could pass for another one.
pub fn meta_variables(script: &Script<'_>) -> Variables {
    let mut variables = Variables::new();
    let mut set = |name: &str, value: &[u8]| variables.push((name.to_owned(), value.to_vec()));
    set("GATEWAY_INTERFACE", b"CGI/1.1");
    set("REQUEST_METHOD", script.method.as_bytes());
    set("REQUEST_URI", script.request_uri.as_bytes());
    set("QUERY_STRING", script.query.as_bytes());
    set("SCRIPT_NAME", script.script_name);
    set("SCRIPT_FILENAME", script.script_filename.as_bytes());
    set("DOCUMENT_ROOT", script.document_root.as_bytes());
    if !script.path_info.is_empty() {
        set("PATH_INFO", script.path_info);
        set("PATH_TRANSLATED", &[script.document_root.as_bytes(), script.path_info].concat());
    }
    if let Some(len) = script.content_length {
        set("CONTENT_LENGTH", len.to_string().as_bytes());
    }
    if let Some(kind) = script.headers.get(CONTENT_TYPE) {
        set("CONTENT_TYPE", kind.as_bytes());
    }
    set("REMOTE_ADDR", script.client.ip().to_canonical().to_string().as_bytes());
    set("REMOTE_PORT", script.client.port().to_string().as_bytes());
    let (name, port) = server_name(script);
    set("SERVER_NAME", name.as_bytes());
    set("SERVER_PORT", port.as_bytes());
    set("SERVER_PROTOCOL", script.protocol.as_bytes());
    set("SERVER_SOFTWARE", script.software.as_bytes());
    set("REQUEST_SCHEME", if script.tls { b"https" } else { b"http" });
    if script.tls {
        set("HTTPS", b"on");
    }
    // PHP refuses to run without: it shows that the server, not a client, has chosen the script.
    set("REDIRECT_STATUS", b"200");
    header_variables(script.headers, &mut variables);
    variables
}

/// The decoded rest of the path behind the script's name.
pub fn path_info(raw: &str) -> Result<Vec<u8>, PathError> {
    let decoded: Vec<u8> = percent_decode_str(raw).collect();
    if decoded.contains(&0) { Err(PathError::ZeroByte) } else { Ok(decoded) }
}

/// Splits `/script/more/path` behind a directory of scripts into the script's decoded file name and the raw rest.
pub fn script_segment(raw: &str) -> Result<(String, &str), PathError> {
    let raw = raw.strip_prefix('/').unwrap_or(raw);
    let (segment, rest) = raw.split_at(raw.find('/').unwrap_or(raw.len()));
    let name = percent_decode_str(segment).decode_utf8().map_err(|_| PathError::Name)?.into_owned();
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(PathError::Name);
    }
    Ok((name, rest))
}

/// What the client called the server, or else the address it reached.
fn server_name(script: &Script<'_>) -> (String, String) {
    let own = (script.server.ip().to_canonical().to_string(), script.server.port().to_string());
    let Some(authority) =
        script.headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<http::uri::Authority>().ok())
    else {
        return own;
    };
    let default = if script.tls { "443" } else { "80" };
    let port = authority.port().map_or_else(|| default.to_owned(), |port| port.as_str().to_owned());
    (authority.host().to_owned(), port)
}

fn header_variables(headers: &HeaderMap, variables: &mut Variables) {
    for name in headers.keys().filter(|name| is_passed_on(name)) {
        let separator: &[u8] = if name == http::header::COOKIE { b"; " } else { b", " };
        let values: Vec<&[u8]> = headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
        let variable = format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"));
        variables.push((variable, values.join(separator)));
    }
}

fn is_passed_on(name: &HeaderName) -> bool {
    *name != CONTENT_TYPE && *name != CONTENT_LENGTH && name != "proxy" && !name.as_str().contains('_')
}

#[cfg(test)]
mod tests;
