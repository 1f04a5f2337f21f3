//! Core: one certificate with its key, and what it is for.

use std::sync::Arc;
use std::time::Duration;

use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Certificates of a chain.
const CHAIN_LEN_MAX: usize = 16;

#[derive(Clone, Debug)]
pub struct Certificate {
    /// What people know it by.
    pub label: Arc<str>,
    /// DNS names, lower case; `*.example.org` is every name one label below.
    pub names: Vec<String>,
    /// Both since 1970.
    pub valid_from: Duration,
    pub valid_until: Duration,
    pub key: Arc<CertifiedKey>,
}

impl Certificate {
    /// From the text of a chain, the leaf first, and of its key. The error says what is wrong with which.
    pub fn from_pem(label: &str, chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .take(CHAIN_LEN_MAX)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("the certificate is not PEM: {error}"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key is not PEM: {error}"))?;
        Self::new(label, chain, &key)
    }

    pub fn new(label: &str, chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<Self, String> {
        let leaf = chain.first().ok_or("there is no certificate in it")?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|error| format!("not a certificate: {error}"))?;
        if parsed.is_ca() && chain.len() > 1 {
            return Err("the first certificate is an authority's: the site's own must stand first".to_owned());
        }
        let names = names(&parsed)?;
        let since_1970 = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let valid_from = since_1970(parsed.validity().not_before.timestamp());
        let valid_until = since_1970(parsed.validity().not_after.timestamp());
        let signer = any_supported_type(key).map_err(|error| format!("the key cannot be used: {error}"))?;
        let key = CertifiedKey::new(chain, signer);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err("the key belongs to another certificate".to_owned()),
            Err(error) => return Err(format!("the certificate cannot be used: {error}")),
        }
        Ok(Self { label: label.into(), names, valid_from, valid_until, key: Arc::new(key) })
    }

    pub fn is_valid(&self, now: Duration) -> bool {
        self.valid_from <= now && now < self.valid_until
    }

    /// Whether it is the same to clients.
    pub fn is_same(&self, other: &Certificate) -> bool {
        self.key.cert == other.key.cert
    }
}

/// Its DNS names. Clients have not looked at the common name for years (RFC 9525, 2).
fn names(parsed: &X509Certificate<'_>) -> Result<Vec<String>, String> {
    let extension = parsed.subject_alternative_name().map_err(|error| format!("its names cannot be read: {error}"))?;
    let all = extension.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let dns = all.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    Ok(dns.collect())
}
