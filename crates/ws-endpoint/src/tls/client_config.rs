//! The TLS configuration a client uses unless the caller brings one.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt as _;

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
    let config = Arc::new(config);
    *shared = Some(Arc::clone(&config));
    Ok(config)
}
