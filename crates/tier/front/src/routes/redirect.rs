//! Core: where a request is sent instead of being answered.

use http::StatusCode;
use ringway_manifest::Target;

use super::entry::RouteEntry;

const HTTPS_PORT: u16 = 443;

/// A request, as far as redirects care.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// It came by TLS, or a trusted proxy says that it did there.
    pub tls: bool,
    /// Without the port.
    pub host: &'a str,
    /// Tidy.
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// How much of the path the route matched.
    pub mount: usize,
}

impl RouteEntry {
    /// The status and the `Location`, if the route does not answer itself. `https_port`: where this node listens; None: a proxy
    /// in front of it does.
    pub fn elsewhere(&self, address: &Address<'_>, https_port: Option<u16>) -> Option<(StatusCode, String)> {
        if self.route.https && !address.tls && !address.host.is_empty() {
            return Some((StatusCode::PERMANENT_REDIRECT, with_tls(address, https_port)));
        }
        let Target::Redirect(redirect) = &self.route.to else { return None };
        let rest = address.path.get(address.mount..).unwrap_or_default();
        let status = StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::TEMPORARY_REDIRECT);
        Some((status, redirect.location(rest, address.query)))
    }
}

fn with_tls(address: &Address<'_>, https_port: Option<u16>) -> String {
    let port = https_port.filter(|port| *port != HTTPS_PORT).map(|port| format!(":{port}")).unwrap_or_default();
    let query = address.query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("https://{}{port}{}{query}", address.host, address.path)
}
