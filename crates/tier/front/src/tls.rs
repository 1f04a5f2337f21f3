//! Driver: the certificate that HTTPS is served with, and the settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair};
use ringway_rt::files::{PRIVATE, PUBLIC, create_private_dir, write_atomic};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsConfig;
use crate::error::Error;

const NAMES: [&str; 4] = ["localhost", "*.localhost", "127.0.0.1", "::1"];
/// Browsers refuse more.
const VALID: Duration = Duration::from_secs(825 * 24 * 3600);

pub fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, Error> {
    let (certificate, key) = match config {
        TlsConfig::Files { certificate, key } => (certificate.clone(), key.clone()),
        TlsConfig::SelfSigned { dir } => self_signed(dir)?,
    };
    let refused = |why: String| Error::Certificate { path: certificate.clone(), why };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect)
        .map_err(|error| refused(error.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(&key)
        .map_err(|error| Error::Certificate { path: key.clone(), why: error.to_string() })?;
    let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| refused(error.to_string()))?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// Paths of the certificate and its key in `dir`, made now if they are not there.
fn self_signed(dir: &Path) -> Result<(PathBuf, PathBuf), Error> {
    let (certificate, key) = (dir.join("localhost.pem"), dir.join("localhost.key"));
    if !certificate.exists() || !key.exists() {
        let refused = |why: String| Error::Certificate { path: certificate.clone(), why };
        let (chain, private) = make().map_err(|error| refused(error.to_string()))?;
        let write = || {
            create_private_dir(dir)?;
            write_atomic(&key, private.as_bytes(), PRIVATE)?;
            write_atomic(&certificate, chain.as_bytes(), PUBLIC)
        };
        write().map_err(|error: std::io::Error| refused(error.to_string()))?;
    }
    Ok((certificate, key))
}

fn make() -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(ringway_rt::clock::wall_ms()) + VALID;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_kept() {
        let dir = std::env::temp_dir().join(format!("ringway-tls-{:016x}", ringway_rt::random::number()));
        let (certificate, _) = self_signed(&dir).unwrap();
        let made = std::fs::read(&certificate).unwrap();
        acceptor(&TlsConfig::SelfSigned { dir: dir.clone() }).unwrap();
        assert_eq!(std::fs::read(&certificate).unwrap(), made);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
