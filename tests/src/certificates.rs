//! A server's certificate, made for the run, and clients that trust it or nobody.

use std::sync::{Arc, OnceLock};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::TLS12;
use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// A server for `localhost` and a client that trusts it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Certificates {
    /// The server's side.
    pub server: Arc<ServerConfig>,
    /// The client's side.
    pub trust: Arc<ClientConfig>,
    /// The side of a client that has TLS 1.2 alone.
    pub dated: Arc<ClientConfig>,
    /// What a client in another process has to trust.
    pub authority_pem: String,
}

/// The certificate of this run, made once.
pub fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(|| certificates_with_names(&["localhost", "127.0.0.1", "::1"]))
}

/// A certificate of its own, for as many names as are wanted.
pub fn certificates_with_names(names: &[&str]) -> Certificates {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a key");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them all")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("the key is the certificate's");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("the certificate is well-formed");
    let authority_pem = cert.pem();
    let dated = client_config(roots.clone(), &[&TLS12]);
    let trust = client_config(roots, ALL_VERSIONS);
    Certificates { server: Arc::new(server), trust, dated, authority_pem }
}

/// A client that trusts nobody.
pub fn distrustful() -> Arc<ClientConfig> {
    client_config(RootCertStore::empty(), ALL_VERSIONS)
}

fn client_config(
    roots: RootCertStore,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .expect("ring has them all")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
