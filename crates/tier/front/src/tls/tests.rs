use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use ringway_catalog::{App, BlobId, Catalog, Release};
use ringway_manifest::Manifest;
use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use super::certificate::Certificate;
use super::certificate_source::CertificateSource;
use super::issue;
use super::local_authority::AUTHORITY_FILE;
use super::*;

/// A day in 2026.
pub const NOW: Duration = Duration::from_secs(1_790_000_000);
/// For what a thread does by itself.
const WITHIN: Duration = Duration::from_secs(20);

/// A directory that goes away.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("ringway-tls-{:016x}", ringway_rt::random::number()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn local(&self) -> TlsConfig {
        TlsConfig::SelfSigned { dir: self.0.clone() }
    }

    fn certs(&self) -> TlsConfig {
        TlsConfig::Directory { dir: self.0.join("certs"), local: self.0.join("local") }
    }

    /// A pair for these names, valid from `now`. Returns the chain.
    fn write(&self, chain: &str, key: &str, names: &[&str], now: Duration) -> CertificateDer<'static> {
        let (certificate, key_pem) = pem(names, now);
        self.put(key, key_pem.as_bytes());
        self.put(chain, certificate.as_bytes());
        CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join("certs").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        ringway_rt::files::write_atomic(&path, bytes, 0o600).unwrap();
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A certificate that nobody has signed, and its key.
fn pem(names: &[&str], now: Duration) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + now;
    params.not_after = params.not_before + issue::LEAF_VALID;
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn today() -> Duration {
    Duration::from_millis(wall_ms())
}

/// A client that trusts these.
fn client(roots: &[CertificateDer<'static>]) -> ClientConfig {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth()
}

/// Both ends of a connection.
struct Ends {
    client: ClientConnection,
    server: ServerConnection,
}

impl Ends {
    /// Shakes hands; the error is the client's.
    fn new(tls: &Tls, config: ClientConfig, name: &str) -> Result<Self, rustls::Error> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let server = ServerConnection::new(Arc::clone(&tls.config)).unwrap();
        let mut ends = Self { client, server };
        while ends.client.is_handshaking() || ends.server.is_handshaking() {
            ends.exchange()?;
        }
        ends.exchange()?;
        Ok(ends)
    }

    fn exchange(&mut self) -> Result<(), rustls::Error> {
        let mut wire = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            self.server.read_tls(&mut rest).unwrap();
            self.server.process_new_packets().unwrap();
        }
        let mut wire = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets()?;
        }
        Ok(())
    }

    fn served(&self) -> CertificateDer<'static> {
        self.client.peer_certificates().unwrap()[0].clone().into_owned()
    }

    /// Something still gets through.
    fn works(&mut self) {
        self.client.writer().write_all(b"ping").unwrap();
        self.exchange().unwrap();
        let mut got = [0; 4];
        self.server.reader().read_exact(&mut got).unwrap();
        assert_eq!(&got, b"ping");
    }
}

/// What is served to somebody who asks for a name and does not look closely.
fn served(tls: &Tls, name: &str) -> CertificateDer<'static> {
    let mut client = client(&[]);
    client.dangerous().set_certificate_verifier(Arc::new(Anybody(aws_lc_rs::default_provider())));
    Ends::new(tls, client, name).unwrap().served()
}

fn authority_in(dir: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(dir.join(AUTHORITY_FILE)).unwrap()
}

/// An app called `shop` with hosts of its own.
fn routes(hosts: &[&str]) -> Arc<Routes> {
    let mut manifest = Manifest::new("shop");
    manifest.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    let release = Release { number: 1, manifest, files: BlobId([0; 32]), files_len: 0, created_ms: 0 };
    let app = App { name: "shop".to_owned(), releases: vec![release], current: 1, first_deployed_ms: 1 };
    let mut catalog = Catalog::default();
    catalog.apps.insert("shop".to_owned(), app);
    Arc::new(Routes::new(Arc::new(catalog)))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + WITHIN;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn who_trusts_the_local_authority_trusts_this_machine_and_its_apps() {
    let dir = Dir::new();
    let tls = Tls::open(&dir.local()).unwrap();
    let authority = [authority_in(&dir.0)];
    for name in ["localhost", "127.0.0.1", "::1", "shop.localhost", "a.b.localhost"] {
        Ends::new(&tls, client(&authority), name).unwrap_or_else(|error| panic!("{name}: {error}")).works();
    }
    assert!(Ends::new(&tls, client(&authority), "shop.test").is_err(), "no app is called so");
    tls.know(routes(&["shop.test", "*.shop.test", "shop.example.org"]));
    for name in ["shop.test", "x.shop.test"] {
        Ends::new(&tls, client(&authority), name).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(Ends::new(&tls, client(&authority), "shop.example.org").is_err(), "it does not sign for the internet");
    let own = served(&tls, "shop.example.org");
    Ends::new(&tls, client(&[own]), "shop.example.org").map(drop).expect("what it makes for that is for that name");
}

#[test]
fn a_stolen_authority_is_nobodys_bank() {
    let dir = Dir::new();
    drop(Tls::open(&dir.local()).unwrap());
    let key = rcgen::KeyPair::from_pem(&fs::read_to_string(dir.0.join("ca.key")).unwrap()).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_der(&authority_in(&dir.0), key).unwrap();
    for (name, is_trusted) in [("shop.test", true), ("bank.com", false), ("192.0.2.1", false), ("testbank.com", false)]
    {
        let leaf = issue::leaf(Some(&issuer), &[name], today()).unwrap();
        let map = CertificateFilesOf(leaf);
        let server = settings_of(map);
        let tried = Ends::new(&server, client(&[authority_in(&dir.0)]), name);
        assert_eq!(tried.is_ok(), is_trusted, "{name}: {:?}", tried.err());
    }
}

/// A source of one certificate.
#[derive(Debug)]
struct CertificateFilesOf(Certificate);

impl ResolvesServerCert for CertificateFilesOf {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.key))
    }
}

fn settings_of(resolver: CertificateFilesOf) -> Tls {
    let mut config =
        settings(Arc::new(Certificates { sources: Arc::new([]), watch: Watch::start(Arc::new([])).unwrap() })).unwrap();
    config.cert_resolver = Arc::new(resolver);
    Tls { config: Arc::new(config), routes: Arc::default() }
}

#[test]
fn the_authority_is_made_once_and_kept_and_a_damaged_one_says_what_to_do() {
    let dir = Dir::new();
    drop(Tls::open(&dir.local()).unwrap());
    let made = fs::read(dir.0.join(AUTHORITY_FILE)).unwrap();
    drop(Tls::open(&dir.local()).unwrap());
    assert_eq!(fs::read(dir.0.join(AUTHORITY_FILE)).unwrap(), made);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(dir.0.join("ca.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    fs::write(dir.0.join("ca.key"), other).unwrap();
    let error = Tls::open(&dir.local()).unwrap_err().to_string();
    assert!(error.contains("ca.key belongs to another certificate: delete it and ca.key"), "{error}");
}

#[test]
fn an_authority_that_is_over_is_made_anew() {
    let dir = Dir::new();
    let routes = || Arc::new(ArcSwap::from_pointee(Routes::default()));
    let open = |now| LocalAuthority::open(dir.0.clone(), routes(), now).unwrap();
    drop(open(NOW));
    let made = authority_in(&dir.0);
    drop(open(NOW + Duration::from_secs(3600 * 24 * 3648)));
    assert_eq!(authority_in(&dir.0), made);
    drop(open(NOW + Duration::from_secs(3600 * 24 * 3651)));
    assert_ne!(authority_in(&dir.0), made);
}

#[test]
fn a_local_certificate_is_made_anew_in_time() {
    let dir = Dir::new();
    let routes = Arc::new(ArcSwap::from_pointee(Routes::default()));
    let authority = LocalAuthority::open(dir.0.clone(), routes, NOW).unwrap();
    let first = authority.default_one().unwrap();
    let day = Duration::from_secs(24 * 3600);
    assert!(authority.refresh(NOW + day * 59).is_empty());
    assert_eq!(authority.default_one().unwrap().cert, first.cert);
    assert!(authority.refresh(NOW + day * 61).is_empty());
    assert_ne!(authority.default_one().unwrap().cert, first.cert);
}

#[test]
fn certificates_lie_in_pairs_or_as_certbot_lays_them_out() {
    let dir = Dir::new();
    let a = dir.write("a.pem", "a.key", &["a.test"], today());
    let b = dir.write("b.crt", "b.key", &["b.test", "*.b.test"], today());
    let c = dir.write("c.test/fullchain.pem", "c.test/privkey.pem", &["c.test"], today());
    dir.put("README", b"about these files");
    let tls = Tls::open(&dir.certs()).unwrap();
    for (name, certificate) in [("a.test", &a), ("B.test", &b), ("x.b.test", &b), ("c.test", &c), ("z.test", &a)] {
        assert_eq!(&served(&tls, name), certificate, "{name}");
        if name != "z.test" {
            Ends::new(&tls, client(std::slice::from_ref(certificate)), name).map(drop).expect("its name is in it");
        }
    }
    assert_ne!(served(&tls, "x.localhost"), a, "what no file is for, the local authority may do");
}

#[test]
fn a_new_file_is_used_at_once_and_no_connection_notices() {
    let dir = Dir::new();
    let old = dir.write("a.pem", "a.key", &["a.test"], today());
    let tls = Tls::open(&dir.certs()).unwrap();
    let mut before = Ends::new(&tls, client(std::slice::from_ref(&old)), "a.test").unwrap();
    let new = dir.write("a.pem", "a.key", &["a.test"], today());
    wait_until("the new one is used", || served(&tls, "a.test") == new);
    before.works();
    let added = dir.write("d.test/fullchain.pem", "d.test/privkey.pem", &["d.test"], today());
    wait_until("one that is added is found", || served(&tls, "d.test") == added);
    before.works();
}

#[test]
fn a_bad_file_changes_nothing_and_is_told() {
    let dir = Dir::new();
    let a = dir.write("a.pem", "a.key", &["a.test"], today());
    let (files, troubles) = CertificateFiles::directory(dir.0.join("certs"), today()).unwrap();
    assert_eq!(troubles, []);
    let key = fs::read(dir.0.join("certs/a.key")).unwrap();
    let (_, other_key) = pem(&["a.test"], today());
    for (bad, wanted) in [
        (other_key.as_bytes(), "the key belongs to another certificate; the one from before is still used"),
        (b"nonsense".as_slice(), "the key is not PEM: no items found; the one from before is still used"),
    ] {
        dir.put("a.key", bad);
        let texts: Vec<String> = files.refresh(today()).into_iter().map(|trouble| trouble.text).collect();
        assert_eq!(texts, [wanted]);
        assert_eq!(files.find("a.test").unwrap().cert[0], a);
    }
    dir.put("a.key", &key);
    assert_eq!(files.refresh(today()), []);
    for (made, wanted) in [
        (today() + issue::LEAF_VALID, "is not valid yet; the one from before is still used"),
        (today() - issue::LEAF_VALID * 2, "has expired; the one from before is still used"),
    ] {
        dir.write("a.pem", "a.key", &["a.test"], made);
        let texts: Vec<String> = files.refresh(today()).into_iter().map(|trouble| trouble.text).collect();
        assert_eq!(texts, [wanted]);
        assert_eq!(files.find("a.test").unwrap().cert[0], a);
    }
    dir.put("lonely.key", &key);
    dir.put("half.pem", b"");
    let texts: Vec<String> = files.refresh(today()).into_iter().map(|trouble| trouble.text).collect();
    assert_eq!(texts[..2], ["has no half.key beside it", "has no lonely.pem or lonely.crt beside it"]);
    fs::remove_dir_all(dir.0.join("certs")).unwrap();
    assert!(files.refresh(today())[0].text.contains("cannot be read"));
    assert_eq!(files.find("a.test").unwrap().cert[0], a, "a directory that is away for a moment takes nothing away");
    fs::create_dir_all(dir.0.join("certs")).unwrap();
    assert!(files.refresh(today())[0].text.contains("all certificates are gone"));
    assert_eq!(files.find("a.test").unwrap().cert[0], a);
}

#[test]
fn a_single_pair_must_be_good_from_the_start() {
    let dir = Dir::new();
    dir.write("a.pem", "a.key", &["a.test"], today());
    let path = |name: &str| dir.0.join("certs").join(name);
    let config = |key: &str| TlsConfig::Files { certificate: path("a.pem"), key: path(key) };
    assert!(Tls::open(&config("a.key")).is_ok());
    dir.write("b.pem", "b.key", &["b.test"], today());
    let error = Tls::open(&config("b.key")).unwrap_err().to_string();
    assert!(error.contains("a.pem cannot be used: the key belongs to another certificate"), "{error}");
    let error = Tls::open(&config("c.key")).unwrap_err().to_string();
    assert!(error.contains("c.key cannot be used: cannot be read"), "{error}");
    let missing = TlsConfig::Directory { dir: path("nowhere"), local: path("local") };
    assert!(Tls::open(&missing).unwrap_err().to_string().contains("directory of certificates cannot be read"));
}

#[test]
fn an_expired_certificate_is_still_shown_so_that_people_see_why() {
    let dir = Dir::new();
    let old = dir.write("a.pem", "a.key", &["a.test"], today() - issue::LEAF_VALID * 2);
    let tls = Tls::open(&dir.certs()).unwrap();
    assert_eq!(served(&tls, "a.test"), old);
    let refused = Ends::new(&tls, client(&[old]), "a.test").err().unwrap().to_string();
    assert!(refused.contains("expired"), "{refused}");
    let (files, _) = CertificateFiles::directory(dir.0.join("certs"), today()).unwrap();
    let told = expiry::ExpiryWatch::default().look(today(), &files.expiries());
    assert_eq!(
        told[0].text,
        "expired 90 days ago, and clients refuse it: put a renewed one in its place, and it is used at once"
    );
}

#[test]
fn both_versions_of_tls_are_spoken_and_the_protocols_are_agreed_on() {
    let dir = Dir::new();
    let tls = Tls::open(&dir.local()).unwrap();
    let authority = [authority_in(&dir.0)];
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(authority.iter().cloned());
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
        let ends = Ends::new(&tls, config, "localhost").unwrap();
        assert_eq!(ends.client.protocol_version(), Some(version.version));
        assert_eq!(ends.client.alpn_protocol(), Some(&b"h2"[..]), "the server's order");
    }
}

#[test]
fn a_ticket_saves_the_second_handshake() {
    let dir = Dir::new();
    let tls = Tls::open(&dir.local()).unwrap();
    let mut config = client(&[authority_in(&dir.0)]);
    config.resumption = Resumption::in_memory_sessions(8);
    let kind = |config: &ClientConfig| {
        let mut ends = Ends::new(&tls, config.clone(), "localhost").unwrap();
        ends.works();
        assert_eq!(ends.client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        ends.client.handshake_kind()
    };
    assert_eq!(kind(&config), Some(HandshakeKind::Full));
    assert_eq!(kind(&config), Some(HandshakeKind::Resumed));
}

/// Shakes hands with whoever connects, until it is dropped.
struct Listener {
    address: std::net::SocketAddr,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

impl Listener {
    fn new(tls: Tls) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let server = ServerConnection::new(Arc::clone(&tls.config)).unwrap();
                // Who is refused hangs up, which is what is wanted.
                let _ = rustls::StreamOwned::new(server, stream).read_to_end(&mut Vec::new());
            }
        });
        Self { address, stop }
    }

    /// Whether `openssl s_client` is content, and what it says.
    fn openssl(&self, more: &[&str]) -> (bool, String) {
        let output = std::process::Command::new("openssl")
            .args(["s_client", "-brief", "-connect", &self.address.to_string(), "-servername", "shop.localhost"])
            .args(more)
            .stdin(std::process::Stdio::null())
            .output()
            .expect("openssl is installed by scripts/setup test");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = std::net::TcpStream::connect(self.address);
    }
}

#[test]
fn openssl_trusts_the_authority_and_gets_nothing_that_is_weak() {
    let dir = Dir::new();
    let listener = Listener::new(Tls::open(&dir.local()).unwrap());
    let file = dir.0.join(AUTHORITY_FILE).display().to_string();
    let trusting = ["-CAfile", &file, "-verify_return_error", "-verify_hostname", "shop.localhost"];
    for (version, wanted) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (is_content, said) = listener.openssl(&[&trusting[..], &[version]].concat());
        assert!(is_content && said.contains(wanted) && said.contains("Verification: OK"), "{version}: {said}");
    }
    let (is_content, said) = listener.openssl(&["-verify_return_error"]);
    assert!(!is_content, "whoever does not know the authority: {said}");
    let (is_content, said) = listener.openssl(&["-alpn", "h2,http/1.1"]);
    assert!(is_content, "{said}");
    for weak in [
        &["-tls1"][..],
        &["-tls1_1"],
        &["-tls1_2", "-cipher", "AES128-SHA:AES256-SHA:AES128-GCM-SHA256@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "NULL:aNULL:RC4:3DES@SECLEVEL=0"],
    ] {
        let (is_content, said) = listener.openssl(weak);
        assert!(!is_content, "{weak:?}: {said}");
    }
}

/// Trusts any certificate.
#[derive(Debug)]
struct Anybody(CryptoProvider);

mod anybody {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

    impl ServerCertVerifier for super::Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
