use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ringway_front::TlsConfig;
use ringway_ports::{Body, empty, full};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::stage::*;

async fn h2(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> http2::SendRequest<Body> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_spoken_on_the_plain_port() {
    let stage = Stage::new(vec![files("/static/*"), service("/web/*"), function("/*", "tell")]);
    stage.write("public/a.txt", "a");
    let address = upstream(|mut stream, _| async move {
        let head = read_head(&mut stream).await;
        assert!(head.contains("host: shop.localhost\r\n") && head.contains("via: 2.0 ringway\r\n"), "{head}");
        let answer =
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nweb\r\n0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    stage.instance("web", address);
    let mut sender = h2(TcpStream::connect(stage.address).await.unwrap()).await;
    let uri = |path: &str| format!("http://shop.localhost{path}");
    for (path, body, expected) in [
        ("/static/a.txt", empty(), "a"),
        ("/web/x", empty(), "web"),
        ("/f", full("12345"), "POST /f mount=0 tls=false client=127.0.0.1 body=5"),
    ] {
        let method = if path == "/f" { "POST" } else { "GET" };
        let response = sender.send_request(request(method, &uri(path), body)).await.unwrap();
        assert_eq!(response.status(), 200);
        let got = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(String::from_utf8_lossy(&got).lines().next(), Some(expected));
    }
    let big = format!("http://shop.localhost/{}", "x".repeat(40 << 10));
    let refused = sender.send_request(request("GET", &big, empty())).await.unwrap();
    assert_eq!(refused.status(), 431);
}

#[tokio::test]
async fn tls_offers_http2_and_http1_with_a_certificate_of_its_own() {
    let keys = std::env::temp_dir().join(format!("ringway-keys-{:016x}", ringway_rt::random::number()));
    let stage = Stage::with(vec![function("/*", "tell")], |config| {
        config.https = Some("127.0.0.1:0".parse().unwrap());
        config.tls = TlsConfig::SelfSigned { dir: keys.clone() };
    });
    for alpn in [&b"h2"[..], b"http/1.1"] {
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(aws_lc_rs::default_provider())))
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(stage.front.https_addr().unwrap()).await.unwrap();
        let name = ServerName::try_from("shop.localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
        let text = if alpn == b"h2" {
            let response =
                h2(stream).await.send_request(request("GET", "https://shop.localhost/x", empty())).await.unwrap();
            String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
        } else {
            stream.write_all(b"GET /x HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            Reply::parse(&answer).text().to_owned()
        };
        assert!(text.starts_with("GET /x mount=0 tls=true ") && text.contains("x-forwarded-proto: https\n"), "{text}");
    }
    std::fs::remove_dir_all(&keys).unwrap();
}

#[tokio::test]
async fn a_websocket_goes_through_a_stream_of_http2() {
    let stage = Stage::new(vec![function("/f", "tell"), service("/*")]);
    let address = upstream(|mut stream, number| async move {
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("GET /chat HTTP/1.1\r\n"), "{head}");
        for field in ["upgrade: websocket\r\n", "sec-websocket-version: 13\r\n", "sec-websocket-key: ", "host: shop.localhost\r\n"] {
            assert!(head.contains(field), "{head}");
        }
        if number > 0 {
            return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        }
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhi";
        stream.write_all(agreed.as_bytes()).await.unwrap();
        let said = read_until(&mut stream, "\n").await;
        stream.write_all(said.as_bytes()).await.unwrap();
    })
    .await;
    stage.instance("web", address);
    let mut sender = h2(TcpStream::connect(stage.address).await.unwrap()).await;
    let ask = || {
        let mut ask = request("CONNECT", "http://shop.localhost/chat", empty());
        ask.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
        ask.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
        ask
    };
    // The server's settings say that it may be asked.
    let other = sender.send_request(request("GET", "http://shop.localhost/f", empty())).await.unwrap();
    drop(other.into_body().collect().await);
    let response = sender.send_request(ask()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("upgrade") && !response.headers().contains_key("sec-websocket-accept"));
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"\x01echo\n").await.unwrap();
    let mut seen = vec![0; 8];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen, b"hi\x01echo\n"[..8].to_vec());
    let refused = sender.send_request(ask()).await.unwrap();
    assert_eq!(refused.status(), 502, "an answer that does not agree is no success");
}

/// Trusts any certificate.
#[derive(Debug)]
struct Anybody(CryptoProvider);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
