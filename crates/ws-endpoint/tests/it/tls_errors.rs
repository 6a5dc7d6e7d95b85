//! What TLS finds wrong is told alike over every version: certificates that are refused on either side,
//! and names in every spelling.

use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use ws_endpoint::{Client, ConnectOptions, Error, HttpPolicy, HttpVersion, Server, TransportError};

use crate::certificates::{Certificates, certificates, distrustful};
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::Sim;

const NO_MISHAP: Mishap = Mishap { side: Side::Client, fault: Fault::Error, number: usize::MAX };

const POLICIES: [HttpPolicy; 4] =
    [HttpPolicy::H1, HttpPolicy::H2, HttpPolicy::H3, HttpPolicy::Best];

/// What became of a WebSocket to `host`, and how many certificates the server was shown.
fn open(
    http: HttpPolicy,
    host: &str,
    identity: &Arc<ServerConfig>,
    trust: &Arc<ClientConfig>,
) -> (Result<HttpVersion, Error>, Option<usize>) {
    let sim = Sim::new();
    sim.block_on(async {
        let (near, far) = Memory::new(&sim, NO_MISHAP);
        let shown = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&shown);
        let server = Server::new(far)
            .listen_tls_and_h3(([127, 0, 0, 1], 0).into(), Arc::clone(identity))
            .unwrap()
            .with_route(move |_, remote| {
                *noted.lock().unwrap() = Some(remote.certificates().len());
                Ok(())
            });
        let port = server.local_addrs().next().unwrap().port();
        sim.spawn_collect(
            server.serve(|mut websocket| async move { while websocket.next().await.is_some() {} }),
        );
        let client = Client::new(near).with_tls(Arc::clone(trust)).with_http(http);
        let url = format!("wss://{host}:{port}/");
        let opened = client.connect(&url, &ConnectOptions::default()).await;
        let shown = *shown.lock().unwrap();
        (opened.map(|websocket| websocket.transport().http_version()), shown)
    })
}

/// A server that asks for a certificate, and two clients that trust it: with one and without.
fn with_client_auth() -> (Arc<ServerConfig>, Arc<ClientConfig>, Arc<ClientConfig>) {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = || PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let (roots, provider) = (Arc::new(roots), Arc::new(default_provider()));
    let judge =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(judge.build().unwrap())
        .with_single_cert(vec![cert.der().clone()], key());
    let client = || {
        ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(Arc::clone(&roots))
    };
    let known = client().with_client_auth_cert(vec![cert.der().clone()], key());
    let (known, unknown) = (known.unwrap(), client().with_no_client_auth());
    (Arc::new(server.unwrap()), Arc::new(known), Arc::new(unknown))
}

#[test]
fn a_server_that_asks_for_a_certificate_is_shown_it() {
    let (identity, known, _) = with_client_auth();
    for http in POLICIES {
        let (opened, shown) = open(http, "localhost", &identity, &known);
        assert!(opened.is_ok(), "{http:?}: {opened:?}");
        assert_eq!(shown, Some(1), "{http:?}");
    }
}

// RFC 8446 §4.4.2.4: certificate_required, when the client is through with the handshake.
#[test]
fn a_client_without_the_certificate_that_is_asked_for_is_told_of_the_alert() {
    let (identity, _, unknown) = with_client_auth();
    for http in POLICIES {
        let (opened, shown) = open(http, "localhost", &identity, &unknown);
        let is_told = matches!(opened, Err(Error::Transport(TransportError::TlsAlert(116))));
        assert!(is_told, "{http:?}: {opened:?}");
        assert_eq!(shown, None, "{http:?}: it got as far as a request");
    }
}

fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}

#[test]
fn a_certificate_that_is_refused_is_what_the_error_speaks_of() {
    let Certificates { server, trust, .. } = certificates();
    for http in POLICIES {
        for (host, trust, expected) in [
            ("localhost", &distrustful(), "UnknownIssuer"),
            ("other.example", trust, "not valid for name \"other.example\""),
            ("b\u{fc}cher.example", trust, "not valid for name \"xn--bcher-kva.example\""),
        ] {
            let error = open(http, host, server, trust).0.unwrap_err();
            assert_eq!(error.reason(), "transport_error", "{http:?} {host}");
            let text = whole(&error);
            assert!(text.contains("certificate") && text.contains(expected), "{http:?}: {text}");
        }
    }
}

#[test]
fn a_name_may_be_spelt_as_names_may() {
    let Certificates { server, trust, .. } = certificates();
    for http in POLICIES {
        for host in ["localhost", "LocalHost", "localhost.", "127.0.0.1"] {
            let (opened, _) = open(http, host, server, trust);
            assert!(opened.is_ok(), "{http:?} {host}: {opened:?}");
        }
    }
}
