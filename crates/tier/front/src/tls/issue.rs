//! Core: what the local authority and its certificates say.
//!
//! People put the authority into their browsers, and its key lies on a developer's machine. So it binds itself to names that mean
//! nothing on the internet (RFC 5280, 4.2.1.10): a thief of the key can be nobody's bank. What an app is called beyond these names
//! gets a certificate that nobody has signed, which browsers let people accept by hand.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::certificate::Certificate;

const DAY: Duration = Duration::from_secs(24 * 3600);
const AUTHORITY_VALID: Duration = Duration::from_secs(3650 * 24 * 3600);
pub const LEAF_VALID: Duration = Duration::from_secs(90 * 24 * 3600);
/// Clocks differ.
const BACKDATED: Duration = Duration::from_secs(24 * 3600);
/// Reserved for local use: RFC 6761, RFC 6762, RFC 8375, and by ICANN.
const LOCAL_NAMES: [&str; 6] = ["localhost", "test", "example", "local", "internal", "home.arpa"];
/// This machine, and private networks (RFC 1918, RFC 4193).
const LOCAL_NETWORKS: [&str; 6] =
    ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"];

/// Whether the authority may sign for a name in lower case.
pub fn is_local(name: &str) -> bool {
    LOCAL_NAMES.iter().any(|local| name.strip_suffix(local).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// A certificate of an authority, in PEM, for its key. `id` tells it from others of its kind.
pub fn authority(key: &KeyPair, id: &str, now: Duration) -> Result<String, rcgen::Error> {
    let mut params = params(now, AUTHORITY_VALID, &format!("Ringway local CA {id}"));
    params.distinguished_name.push(DnType::OrganizationName, "Ringway");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let names = LOCAL_NAMES.iter().map(|name| GeneralSubtree::DnsName((*name).to_owned()));
    let networks = LOCAL_NETWORKS.iter().filter_map(|network| network.parse::<CidrSubnet>().ok());
    let permitted_subtrees = names.chain(networks.map(GeneralSubtree::IpAddress)).collect();
    params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    Ok(params.self_signed(key)?.pem())
}

/// A certificate for names (and addresses), signed by the authority or, without one, by nobody.
pub fn leaf(issuer: Option<&Issuer<'_, KeyPair>>, names: &[&str], now: Duration) -> Result<Certificate, String> {
    let told = |error: rcgen::Error| error.to_string();
    let key = KeyPair::generate().map_err(told)?;
    let mut params = params(now, LEAF_VALID, names.first().copied().unwrap_or_default());
    let given =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).map_err(told)?;
    params.subject_alt_names = given.subject_alt_names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = issuer.is_some();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };
    let chain: Vec<CertificateDer<'static>> = vec![certificate.map_err(told)?.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Certificate::new(names.first().copied().unwrap_or_default(), chain, &key)
}

fn params(now: Duration, valid: Duration, name: &str) -> CertificateParams {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = epoch + now.saturating_sub(BACKDATED);
    params.not_after = epoch + now + valid;
    params
}

/// Whether a certificate of this authority is to be made anew: two thirds of its time are over.
pub fn is_worn(certificate: &Certificate, now: Duration) -> bool {
    now + LEAF_VALID / 3 > certificate.valid_until
}

/// Whether the authority itself is.
pub fn is_over(valid_until: Duration, now: Duration) -> bool {
    now + DAY > valid_until
}
