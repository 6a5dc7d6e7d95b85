//! The suite as a server of TLS: a certificate of its own, made anew for each run.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// A self-signed certificate for `localhost`, `127.0.0.1` and `::1`, with its key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
    pem: String,
}

impl Identity {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// The key could not be made.
    pub(crate) fn new() -> io::Result<Self> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        Ok(Self {
            certificate: made.cert.der().clone(),
            key: made.signing_key.serialize_der(),
            pem: made.cert.pem(),
        })
    }

    /// The certificate as a client may be told to trust it.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's TLS for the protocols `alpn`, best first.
    pub(crate) fn config(&self, alpn: &[&str]) -> io::Result<ServerConfig> {
        let key = PrivatePkcs8KeyDer::from(self.key.clone());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key.into())
            .map_err(io::Error::other)?;
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(config)
    }

    /// What accepts TLS for the protocols `alpn`.
    pub(crate) fn acceptor(&self, alpn: &[&str]) -> io::Result<TlsAcceptor> {
        Ok(TlsAcceptor::from(Arc::new(self.config(alpn)?)))
    }
}
