//! Driver: what HTTPS is served with: a certificate by the name that a client asks for, and the settings.
//!
//! Certificates come from sources (`certificate_source`): files, the local authority, later ACME. A source swaps what it has as a
//! whole; a handshake takes what is there at that moment, and connections that stand are not touched. So nothing is dropped when
//! a certificate changes.

mod certificate;
mod certificate_files;
mod certificate_map;
mod certificate_source;
mod expiry;
mod issue;
mod local_authority;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ringway_rt::clock::wall_ms;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig};
use tokio_rustls::TlsAcceptor;

use self::certificate_files::CertificateFiles;
use self::certificate_source::Trouble;
use self::local_authority::LocalAuthority;
use self::watch::{Sources, Watch, tell};
use crate::config::TlsConfig;
use crate::error::Error;
use crate::routes::Routes;

/// Of equal strength for our purpose; the first is the fastest with AES in hardware. A client's own order goes before ours, since
/// it knows whether it has that.
const SUITES: [CipherSuite; 9] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// One for all threads: what one has given a ticket for, any can resume.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    routes: Arc<ArcSwap<Routes>>,
}

impl Tls {
    /// Reads or makes the certificates, and follows their changes as long as anybody has a part of this.
    pub fn open(config: &TlsConfig) -> Result<Self, Error> {
        let routes = Arc::new(ArcSwap::from_pointee(Routes::default()));
        let sources = sources(config, &routes).map_err(refused)?;
        let certificates = Certificates { watch: Watch::start(Arc::clone(&sources)).map_err(Error::Thread)?, sources };
        Ok(Self { config: Arc::new(settings(Arc::new(certificates))?), routes })
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Whose hosts the local authority makes certificates for.
    pub fn know(&self, routes: Arc<Routes>) {
        self.routes.store(routes);
    }
}

fn settings(certificates: Arc<Certificates>) -> Result<ServerConfig, Error> {
    let refused = |error: rustls::Error| Error::Certificate { path: PathBuf::from("TLS"), why: error.to_string() };
    let mut server = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Keys change every six hours, and are good for as long again: what was recorded cannot be read with a key stolen later.
    server.ticketer = aws_lc_rs::Ticketer::new().map_err(refused)?;
    Ok(server)
}

fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let rank = |suite: CipherSuite| SUITES.iter().position(|ours| *ours == suite).unwrap_or(SUITES.len());
    provider.cipher_suites.sort_by_key(|suite| rank(suite.suite()));
    provider
}

fn refused(trouble: Trouble) -> Error {
    Error::Certificate { path: trouble.about.into(), why: trouble.text }
}

/// Those that are asked first come first.
fn sources(config: &TlsConfig, routes: &Arc<ArcSwap<Routes>>) -> Result<Sources, Trouble> {
    let now = Duration::from_millis(wall_ms());
    let authority = |dir: &PathBuf| LocalAuthority::open(dir.clone(), Arc::clone(routes), now);
    Ok(match config {
        TlsConfig::Files { certificate, key } => {
            Arc::new([Box::new(CertificateFiles::pair(certificate.clone(), key.clone(), now)?)])
        }
        TlsConfig::Directory { dir, local } => {
            let (files, troubles) = CertificateFiles::directory(dir.clone(), now)?;
            tell(&troubles);
            Arc::new([Box::new(files), Box::new(authority(local)?)])
        }
        TlsConfig::SelfSigned { dir } => Arc::new([Box::new(authority(dir)?)]),
    })
}

/// Answers handshakes from the sources.
#[derive(Debug)]
struct Certificates {
    sources: Sources,
    /// Lives as long as somebody may ask.
    #[expect(dead_code, reason = "held, not asked")]
    watch: Watch,
}

impl Certificates {
    /// The first source that has one for the name; else the first that has one for anybody.
    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let name = name.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        let named = name.and_then(|name| self.sources.iter().find_map(|source| source.find(&name)));
        named.or_else(|| self.sources.iter().find_map(|source| source.default_one()))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name())
    }
}

#[cfg(test)]
mod tests;
