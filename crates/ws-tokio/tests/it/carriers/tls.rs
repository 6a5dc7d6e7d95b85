//! What a program gives TLS: a choice of certificates, and a judge of them. They may panic, and change
//! their minds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use ws_tokio::{
    Client, ConnectOptions, Error, HttpPolicy, Message, TransportError, WebSocket, client, server,
};

use crate::support::{certificates, certificates_for, echo};

const POLICIES: [HttpPolicy; 3] = [HttpPolicy::H1, HttpPolicy::H2, HttpPolicy::H3];

#[derive(Debug)]
struct Choice {
    of: Arc<dyn ResolvesServerCert>,
    panics: Arc<AtomicBool>,
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        assert!(!self.panics.load(Ordering::SeqCst), "as the test wants it");
        self.of.resolve(hello)
    }
}

#[derive(Debug)]
struct Judge;

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        panic!("as the test wants it");
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A server that runs for the rest of the test.
fn serve(identity: ServerConfig) -> String {
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    let server = server().listen_tls_and_h3(anywhere, Arc::new(identity)).expect("a port");
    let url = server.urls().next().expect("it listens");
    tokio::spawn(server.serve(echo));
    url
}

async fn open(client: &Client, url: &str) -> Result<WebSocket, Error> {
    let handshake_timeout = Duration::from_secs(10);
    let options = ConnectOptions { handshake_timeout, ..ConnectOptions::default() };
    client.connect(url, &options).await
}

async fn talk(websocket: &mut WebSocket) {
    websocket.send(Message::text("hello")).await.expect("sent");
    assert_eq!(websocket.next().await.expect("open").expect("echo"), Message::text("hello"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_of_certificates_that_panics_costs_its_own_connection() {
    for http in POLICIES {
        let (identity, trust) = certificates();
        let mut identity = ServerConfig::clone(&identity);
        let panics = Arc::new(AtomicBool::new(false));
        let of = Arc::clone(&identity.cert_resolver);
        identity.cert_resolver = Arc::new(Choice { of, panics: Arc::clone(&panics) });
        let url = serve(identity);
        let client = || client().with_tls(Arc::clone(&trust)).with_http(http);
        let first = client();
        let mut neighbour = open(&first, &url).await.expect("open");
        panics.store(true, Ordering::SeqCst);
        let refused = open(&client(), &url).await;
        assert!(matches!(refused, Err(Error::Transport(_))), "{http:?}: {refused:?}");
        if http == HttpPolicy::H3 {
            // RFC 9001 §4.8: the alert internal_error.
            let alert = matches!(refused, Err(Error::Transport(TransportError::TlsAlert(80))));
            assert!(alert, "{refused:?}");
        }
        panics.store(false, Ordering::SeqCst);
        talk(&mut neighbour).await;
        let third = client();
        talk(&mut open(&third, &url).await.expect("open")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_judge_of_certificates_that_panics_is_the_callers() {
    for http in POLICIES {
        let (identity, trust) = certificates();
        let url = serve(ServerConfig::clone(&identity));
        let judged = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has them all")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Judge))
            .with_no_client_auth();
        let client = client().with_http(http);
        let judging = client.clone().with_tls(Arc::new(judged));
        let address = url.clone();
        // Over TCP it is the caller's own task that panics.
        let refused = tokio::spawn(async move { open(&judging, &address).await.is_err() });
        assert!(refused.await.unwrap_or(true), "{http:?}");
        let client = client.with_tls(trust);
        talk(&mut open(&client, &url).await.expect("open")).await;
    }
}

#[derive(Debug)]
struct Renewed {
    old: Arc<dyn ResolvesServerCert>,
    new: Arc<dyn ResolvesServerCert>,
    is_renewed: Arc<AtomicBool>,
}

impl ResolvesServerCert for Renewed {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_renewed = self.is_renewed.load(Ordering::SeqCst);
        if is_renewed { self.new.resolve(hello) } else { self.old.resolve(hello) }
    }
}

#[tokio::test]
async fn a_certificate_may_be_renewed_while_the_server_runs() {
    for http in POLICIES {
        let ((identity, old), (renewed, new)) = (certificates_for(NAMES), certificates_for(NAMES));
        let mut identity = ServerConfig::clone(&identity);
        let is_renewed = Arc::new(AtomicBool::new(false));
        identity.cert_resolver = Arc::new(Renewed {
            old: Arc::clone(&identity.cert_resolver),
            new: Arc::clone(&renewed.cert_resolver),
            is_renewed: Arc::clone(&is_renewed),
        });
        let url = serve(identity);
        let of = |trust: &Arc<ClientConfig>| client().with_tls(Arc::clone(trust)).with_http(http);
        let first = of(&old);
        let mut neighbour = open(&first, &url).await.expect("open");
        assert!(open(&of(&new), &url).await.is_err(), "{http:?}");
        is_renewed.store(true, Ordering::SeqCst);
        let second = of(&new);
        talk(&mut open(&second, &url).await.expect("open")).await;
        talk(&mut neighbour).await;
    }
}

const NAMES: &[&str] = &["localhost", "127.0.0.1"];
