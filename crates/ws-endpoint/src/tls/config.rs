//! TLS configurations: the one a client uses unless the caller brings one, and what is said in
//! either role about the protocol inside.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::{ClientConfig, ServerConfig};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::http_version::HttpVersion;

/// TLS 1.2 and 1.3 with ring, no client certificate, and certificates judged as the operating
/// system judges them. Made once and shared.
///
/// # Errors
///
/// The system's certificate store could not be read. It is tried again on the next call.
pub fn platform_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    static SHARED: Mutex<Option<Arc<ClientConfig>>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(config) = &*shared {
        return Ok(Arc::clone(config));
    }
    // The provider is named: with two of them in one build the default one panics.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    let config = client_with_alpn(Arc::new(config), &[HttpVersion::H1]);
    *shared = Some(Arc::clone(&config));
    Ok(config)
}

/// The configuration with the protocols that a client offers (RFC 7301).
pub(crate) fn client_with_alpn(
    config: Arc<ClientConfig>,
    offer: &[HttpVersion],
) -> Arc<ClientConfig> {
    let protocols = || offer.iter().map(|version| version.alpn().as_bytes());
    if config.alpn_protocols.iter().map(Vec::as_slice).eq(protocols()) {
        return config;
    }
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = protocols().map(<[u8]>::to_vec).collect();
    Arc::new(config)
}

/// The configuration of a server that takes no early data. What it has taken it keeps apart from all else,
/// and it would be lost.
pub(super) fn without_early_data(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if config.max_early_data_size == 0 {
        return config;
    }
    let mut config = Arc::unwrap_or_clone(config);
    config.max_early_data_size = 0;
    Arc::new(config)
}

/// The configuration with the protocols of a server.
pub(crate) fn server_with_alpn(config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    // Here, so that it is not done for each connection.
    let mut config = Arc::unwrap_or_clone(without_early_data(config));
    let versions: &[HttpVersion] = &[
        #[cfg(feature = "h2")]
        HttpVersion::H2,
        HttpVersion::H1,
    ];
    config.alpn_protocols = versions.iter().map(|version| version.alpn().into()).collect();
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: H2-3.2-01
    #[test]
    fn cleartext_http_2_is_never_offered_inside_tls() {
        let provider = || Arc::new(ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has them all")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = Arc::new(client);
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has them all")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
        let mut server_before = server;
        // What a caller left in its configuration is replaced.
        server_before.alpn_protocols = vec![b"h2c".to_vec(), b"h2".to_vec()];
        let served = server_with_alpn(Arc::new(server_before));
        let offers = [
            &[HttpVersion::H1][..],
            #[cfg(feature = "h2")]
            &[HttpVersion::H2, HttpVersion::H1],
        ];
        let offered = offers.map(|offer| client_with_alpn(Arc::clone(&client), offer));
        let offered = offered.iter().map(|config| &config.alpn_protocols);
        for protocols in offered.chain([&served.alpn_protocols]) {
            assert!(!protocols.is_empty());
            for protocol in protocols {
                assert!([&b"h2"[..], b"http/1.1"].contains(&&protocol[..]), "{protocol:?}");
            }
        }
    }
}
