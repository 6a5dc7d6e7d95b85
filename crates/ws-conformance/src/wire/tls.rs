//! TLS for `wss`: a client that accepts any certificate.
//!
//! A test tool judges the WebSocket, not the trust: it must reach servers with self-signed names.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client, server};

use super::stream::Duplex;

impl Duplex for client::TlsStream<TcpStream> {
    fn reset(&mut self) {
        self.get_mut().0.reset();
    }
}

impl Duplex for server::TlsStream<TcpStream> {
    fn reset(&mut self) {
        self.get_mut().0.reset();
    }
}

/// Speaks TLS to `host` over `stream`, for the one protocol `alpn`.
pub(crate) async fn connect(
    host: &str,
    stream: TcpStream,
    alpn: &str,
) -> io::Result<client::TlsStream<TcpStream>> {
    connect_with(host, stream, &[alpn]).await
}

/// Speaks TLS to `host` over `stream`, for one of the protocols `alpn`, best first.
pub(crate) async fn connect_with(
    host: &str,
    stream: TcpStream,
    alpn: &[&str],
) -> io::Result<client::TlsStream<TcpStream>> {
    let config = client_config(alpn)?;
    let name =
        ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A client's TLS for the protocols `alpn`, which believes every certificate.
pub(crate) fn client_config(alpn: &[&str]) -> io::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}

/// Believes every certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::wire::identity::Identity;
    use crate::wire::stream::{End, Wire};

    // RFC: WS-10.6-01, M1-9.8-01
    #[tokio::test]
    async fn octets_pass_through_tls_with_a_certificate_nobody_knows() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a caller");
            let identity = Identity::new().expect("a certificate");
            let acceptor = identity.acceptor(&["http/1.1"]).expect("a configuration");
            let mut wire = Wire::new(acceptor.accept(stream).await.expect("a handshake"));
            assert!(wire.fill().await);
            let got = wire.buffered().to_vec();
            wire.write(b"pong").await;
            wire.finish_sending().await;
            got
        });
        let stream = TcpStream::connect(address).await.expect("a connection");
        let mut wire =
            Wire::new(connect("127.0.0.1", stream, "http/1.1").await.expect("a handshake"));
        assert!(wire.write(b"ping").await);
        while wire.fill().await {}
        assert_eq!((wire.buffered(), wire.end()), (&b"pong"[..], Some(&End::Fin)));
        assert_eq!(server.await.expect("the server"), b"ping");
    }
}
