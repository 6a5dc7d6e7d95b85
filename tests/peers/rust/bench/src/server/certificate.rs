//! The certificate of a server over TLS or QUIC: made when it starts, and left in a file for the generator.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A server's TLS for `localhost`, and its certificate.
pub fn make() -> Result<(ServerConfig, Vec<u8>), String> {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(text)?;
    let certificate = issued.cert.der().clone();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der())?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(text)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .map_err(text)?;
    Ok((config, certificate.to_vec()))
}

/// Leaves a certificate for whoever connects to `port`.
pub fn publish(port: u16, certificate: &[u8]) -> Result<(), String> {
    fs::write(file(port), certificate).map_err(text)
}

/// TLS of a client that trusts the server on `port`, for these protocols.
pub fn trusting(port: u16, protocols: &[&[u8]]) -> Result<ClientConfig, String> {
    let certificate = fs::read(file(port)).map_err(text)?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate)).map_err(text)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(text)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

/// Forgets what was left for `port`.
pub fn forget(port: u16) {
    let _gone = fs::remove_file(file(port));
}

fn file(port: u16) -> PathBuf {
    std::env::temp_dir().join(format!("ws-bench-{port}.der"))
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
