//! Driver: the cluster's certificate authority, the nodes' certificates, and the TLS settings made of them.
//!
//! Every node holds the authority's key and may admit others: nodes are equal. Between nodes it is TLS 1.3 only. A certificate
//! names a node id, and the id is the hash of the certificate's own key, so no node can be given another's name, not even by a
//! holder of the authority's key. That is what makes removing a node effective: it can sign itself a new certificate, but only
//! for an id that is in no catalog.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use ringway_ring::NodeId;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::error::{Error, internal};
use crate::identity::Identity;

/// Without a client certificate: a node that wants one.
pub const ALPN_JOIN: &[u8] = b"ringway-join/1";
/// Framed messages between members.
pub const ALPN_PEER: &[u8] = b"ringway-peer/1";
/// A byte stream to the other's front end.
pub const ALPN_HTTP: &[u8] = b"ringway-http/1";

const NODE_DOMAIN: &str = "node.ringway.internal";
/// Clocks may differ a little and the certificate is used the moment it is made.
const VALID_BEFORE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
/// Renewing certificates is not automatic, so they last as long as the machine may.
const VALID_FOR: std::time::Duration = std::time::Duration::from_secs(10 * 365 * 24 * 3600);

/// A key of ours: ECDSA on P-256.
pub fn make_key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|e| internal("making a key")(&e))
}

/// The self-signed certificate of a new cluster's authority.
pub fn make_authority(key: &KeyPair, cluster_id: &str) -> Result<CertificateDer<'static>, Error> {
    let mut params = params_for(vec![])?;
    params.distinguished_name.push(DnType::CommonName, format!("ringway cluster {cluster_id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(key).map_err(|e| internal("making the authority")(&e))?;
    Ok(certificate.der().clone())
}

/// A node's certificate for the key in `request`, whose signature proves that the asker has it.
pub fn sign_request(
    authority: &CertificateDer<'_>,
    authority_key: &KeyPair,
    request: &[u8],
) -> Result<(NodeId, CertificateDer<'static>), Error> {
    let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request))
        .map_err(|e| internal("certificate request")(&e))?;
    let id = id_of_key(&request.public_key.subject_public_key_info());
    Ok((id, sign(authority, authority_key, &request.public_key, id)?))
}

/// A node's certificate for a key of our own.
pub fn sign_own(
    authority: &CertificateDer<'_>,
    authority_key: &KeyPair,
    key: &KeyPair,
) -> Result<(NodeId, CertificateDer<'static>), Error> {
    let id = id_of_key(&key.subject_public_key_info());
    Ok((id, sign(authority, authority_key, key, id)?))
}

/// The request that goes with [`sign_request`].
pub fn make_request(key: &KeyPair) -> Result<Vec<u8>, Error> {
    let request =
        CertificateParams::default().serialize_request(key).map_err(|e| internal("certificate request")(&e))?;
    Ok(request.der().to_vec())
}

fn sign(
    authority: &CertificateDer<'_>,
    authority_key: &KeyPair,
    key: &impl PublicKeyData,
    id: NodeId,
) -> Result<CertificateDer<'static>, Error> {
    let issuer = Issuer::from_ca_cert_der(authority, authority_key).map_err(|e| internal("the authority")(&e))?;
    let mut params = params_for(vec![host_of(id)])?;
    params.distinguished_name.push(DnType::CommonName, format!("ringway node {}", id.short()));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(key, &issuer).map_err(|e| internal("signing a certificate")(&e))?;
    Ok(certificate.der().clone())
}

fn params_for(names: Vec<String>) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names).map_err(|e| internal("certificate")(&e))?;
    let now = std::time::SystemTime::now();
    params.not_before = (now - VALID_BEFORE).into();
    params.not_after = (now + VALID_FOR).into();
    params.distinguished_name = rcgen::DistinguishedName::new();
    Ok(params)
}

/// The first 16 bytes of the SHA-256 of a public key (SubjectPublicKeyInfo, DER).
pub fn id_of_key(spki: &[u8]) -> NodeId {
    let hash = Sha256::digest(spki);
    NodeId::from_bytes(std::array::from_fn(|index| hash[index]))
}

/// What a token names the cluster by.
pub fn fingerprint_of(authority: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(authority.as_ref()).into()
}

fn host_of(id: NodeId) -> String {
    format!("{id}.{NODE_DOMAIN}")
}

pub fn server_name_of(id: NodeId) -> ServerName<'static> {
    ServerName::try_from(host_of(id)).expect("32 digits and a fixed domain are a host name")
}

/// The node that a verified certificate belongs to. `None` if its name is not the hash of its key.
pub fn id_of_certificate(certificate: &CertificateDer<'_>) -> Option<NodeId> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let id = id_of_key(parsed.public_key().raw);
    let names = parsed.subject_alternative_name().ok()??;
    names
        .value
        .general_names
        .iter()
        .any(|name| matches!(name, GeneralName::DNSName(dns) if *dns == host_of(id)))
        .then_some(id)
}

/// The TLS settings of one node.
#[derive(Debug)]
pub struct TlsSettings {
    /// For members: client certificates are required.
    pub server: Arc<ServerConfig>,
    /// For nodes that want to join.
    pub join_server: Arc<ServerConfig>,
    pub peer_client: Arc<ClientConfig>,
    pub http_client: Arc<ClientConfig>,
}

impl TlsSettings {
    pub fn of(identity: &Identity) -> Result<Self, Error> {
        let problem = |e: &dyn std::fmt::Display| internal("TLS settings")(e);
        let mut roots = RootCertStore::empty();
        roots.add(identity.authority.clone()).map_err(|e| problem(&e))?;
        let roots = Arc::new(roots);
        let client_verifier =
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider()).build().map_err(|e| problem(&e))?;
        let server_verifier =
            WebPkiServerVerifier::builder_with_provider(roots, provider()).build().map_err(|e| problem(&e))?;
        let chain = || vec![identity.certificate.clone(), identity.authority.clone()];
        let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));

        let mut server = server_builder()?
            .with_client_cert_verifier(client_verifier)
            .with_single_cert(chain(), key())
            .map_err(|e| problem(&e))?;
        server.alpn_protocols = vec![ALPN_PEER.to_vec(), ALPN_HTTP.to_vec()];
        let mut join_server =
            server_builder()?.with_no_client_auth().with_single_cert(chain(), key()).map_err(|e| problem(&e))?;
        join_server.alpn_protocols = vec![ALPN_JOIN.to_vec()];
        let client = |protocol: &[u8]| -> Result<Arc<ClientConfig>, Error> {
            let builder = client_builder()?.with_webpki_verifier(server_verifier.clone());
            let mut client = builder.with_client_auth_cert(chain(), key()).map_err(|e| problem(&e))?;
            client.alpn_protocols = vec![protocol.to_vec()];
            Ok(Arc::new(client))
        };
        Ok(Self {
            server: Arc::new(server),
            join_server: Arc::new(join_server),
            peer_client: client(ALPN_PEER)?,
            http_client: client(ALPN_HTTP)?,
        })
    }
}

/// The settings of a node that has nothing yet but a token.
pub fn join_client(fingerprint: [u8; 32]) -> Result<ClientConfig, Error> {
    let verifier = Arc::new(PinnedAuthority { fingerprint, provider: provider() });
    let mut client = client_builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    client.alpn_protocols = vec![ALPN_JOIN.to_vec()];
    Ok(client)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn server_builder() -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, Error> {
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| internal("TLS settings")(&e))
}

fn client_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| internal("TLS settings")(&e))
}

/// Trusts whoever shows the authority's certificate that the token names and has a certificate signed by it.
///
/// The validity period is not looked at: a joiner's clock may be far off, and it is to hear that from the cluster, in words.
#[derive(Debug)]
struct PinnedAuthority {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{ApplicationVerificationFailure, BadEncoding, UnknownIssuer};
        let authority = intermediates.iter().find(|c| fingerprint_of(c) == self.fingerprint).ok_or(UnknownIssuer)?;
        let (_, parsed) = X509Certificate::from_der(end_entity).map_err(|_| BadEncoding)?;
        let when = u64::try_from(parsed.validity().not_before.timestamp()).map_err(|_| BadEncoding)? + 1;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let algorithms = self.provider.signature_verification_algorithms;
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(when));
        let leaf = ParsedCertificate::try_from(end_entity)?;
        rustls::client::verify_server_cert_signed_by_trust_anchor(&leaf, &roots, &[], now, algorithms.all)?;
        id_of_certificate(end_entity).ok_or(ApplicationVerificationFailure)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
