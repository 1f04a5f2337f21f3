//! Driver: an authority of this node's own, for `ringway dev` and for who has no certificate. Made once and kept; the
//! certificates that it signs are made when somebody asks for their name, and never written down.
//!
//! Only names of apps and of this machine are signed for. A certificate is for one name and not for `*.localhost`: browsers refuse
//! a wildcard right below a top level.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::counter;
use rcgen::{Issuer, KeyPair, PublicKeyData as _};
use ringway_rt::clock::wall_ms;
use ringway_rt::files::{PRIVATE, PUBLIC, create_private_dir, write_atomic};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tracing::{debug, info, warn};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::Certificate;
use super::certificate_source::{CertificateSource, Trouble, Watched};
use super::expiry::Expiry;
use super::issue::{self, is_local};
use crate::routes::Routes;

/// What `ringway ca` shows.
pub const AUTHORITY_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";
/// More names at a time are strangers' inventions; all are made anew then, at a fraction of a handshake's cost each.
const LEAVES_MAX: usize = 1024;
/// For clients that name nobody.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

pub struct LocalAuthority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    valid_until: Duration,
    own: ArcSwap<Certificate>,
    leaves: Mutex<HashMap<String, Certificate>>,
    /// Whose hosts are signed for.
    routes: Arc<ArcSwap<Routes>>,
}

impl LocalAuthority {
    /// The authority kept in a directory, made now if there is none or if it is over.
    pub fn open(dir: PathBuf, routes: Arc<ArcSwap<Routes>>, now: Duration) -> Result<Self, Trouble> {
        let file = dir.join(AUTHORITY_FILE);
        let trouble = |text: String| Trouble { about: file.display().to_string(), text };
        let damaged = |text: String| trouble(format!("{text}: delete it and {KEY_FILE}, and a new authority is made"));
        if !file.exists() || !dir.join(KEY_FILE).exists() {
            make(&dir, now).map_err(trouble)?;
        }
        let (mut issuer, mut valid_until) = read(&dir).map_err(damaged)?;
        if issue::is_over(valid_until, now) {
            warn!(file = %file.display(), "the local authority is over: a new one is made, which browsers do not know yet");
            make(&dir, now).map_err(trouble)?;
            (issuer, valid_until) = read(&dir).map_err(damaged)?;
        }
        let own = issue::leaf(Some(&issuer), &OWN_NAMES, now).map_err(trouble)?;
        Ok(Self { issuer, valid_until, own: ArcSwap::from_pointee(own), leaves: Mutex::default(), routes, dir })
    }

    fn is_known(&self, name: &str) -> bool {
        name == "localhost" || name.ends_with(".localhost") || self.routes.load().has_host(name)
    }

    fn make_leaf(&self, name: &str, now: Duration) -> Option<Certificate> {
        let issuer = is_local(name).then_some(&self.issuer);
        match issue::leaf(issuer, &[name], now) {
            Ok(leaf) => {
                counter!("ringway_front_local_certificates_made_total").increment(1);
                Some(leaf)
            }
            Err(error) => {
                debug!(name, error, "no certificate can be made for a name");
                None
            }
        }
    }
}

/// The key goes first: without its certificate it is no authority, the other way round it would be a damaged one.
fn make(dir: &Path, now: Duration) -> Result<(), String> {
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let id = format!("{:08x}", ringway_rt::random::number() as u32);
    let certificate = issue::authority(&key, &id, now).map_err(|error| error.to_string())?;
    let write = || {
        create_private_dir(dir)?;
        write_atomic(&dir.join(KEY_FILE), key.serialize_pem().as_bytes(), PRIVATE)?;
        write_atomic(&dir.join(AUTHORITY_FILE), certificate.as_bytes(), PUBLIC)
    };
    write().map_err(|error: std::io::Error| format!("cannot be written: {error}"))?;
    info!(file = %dir.join(AUTHORITY_FILE).display(), "a local authority was made: `ringway ca` says how to trust it");
    Ok(())
}

fn read(dir: &Path) -> Result<(Issuer<'static, KeyPair>, Duration), String> {
    let text =
        |name: &str| fs::read_to_string(dir.join(name)).map_err(|error| format!("{name} cannot be read: {error}"));
    let (pem, key) = (text(AUTHORITY_FILE)?, text(KEY_FILE)?);
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| format!("not a certificate: {error}"))?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| format!("not a certificate: {error}"))?;
    let valid_until = Duration::from_secs(u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0));
    let key = KeyPair::from_pem(&key).map_err(|error| format!("{KEY_FILE} is not a key: {error}"))?;
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err(format!("{KEY_FILE} belongs to another certificate"));
    }
    let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| format!("not an authority: {error}"))?;
    Ok((issuer, valid_until))
}

impl CertificateSource for LocalAuthority {
    fn find(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        if !self.is_known(name) {
            return None;
        }
        let now = Duration::from_millis(wall_ms());
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = leaves.get(name).filter(|leaf| !issue::is_worn(leaf, now)) {
            return Some(Arc::clone(&leaf.key));
        }
        let leaf = self.make_leaf(name, now)?;
        if leaves.len() >= LEAVES_MAX {
            counter!("ringway_front_local_certificates_full_total").increment(1);
            leaves.clear();
        }
        let key = Arc::clone(&leaf.key);
        leaves.insert(name.to_owned(), leaf);
        Some(key)
    }

    fn default_one(&self) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.own.load().key))
    }

    fn refresh(&self, now: Duration) -> Vec<Trouble> {
        if !issue::is_worn(&self.own.load(), now) {
            return Vec::new();
        }
        match issue::leaf(Some(&self.issuer), &OWN_NAMES, now) {
            Ok(own) => {
                self.own.store(Arc::new(own));
                Vec::new()
            }
            Err(text) => vec![Trouble { about: OWN_NAMES[0].to_owned(), text }],
        }
    }

    fn watched(&self) -> Vec<Watched> {
        Vec::new()
    }

    fn expiries(&self) -> Vec<Expiry> {
        vec![Expiry {
            label: self.dir.join(AUTHORITY_FILE).display().to_string().into(),
            valid_until: self.valid_until,
            remedy: "restart the node to have a new authority made, and trust that one",
        }]
    }
}

impl std::fmt::Debug for LocalAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalAuthority").field("dir", &self.dir).finish_non_exhaustive()
    }
}
