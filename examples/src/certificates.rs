//! A certificate authority and a certificate for `localhost`, made when a program starts.
//!
//! For trying things out: nothing is stored, nothing is trusted but by whom you hand the
//! authority's PEM to.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// What a TLS server needs, and what its clients need to trust it.
#[derive(Debug)]
pub struct Certificates {
    /// The configuration of the server.
    pub server: Arc<ServerConfig>,
    /// The authority's certificate, for `--ca` of a client or a browser's store.
    pub authority_pem: String,
}

impl Certificates {
    /// Makes an authority and a certificate for `localhost`, the loopback addresses and `hosts`.
    ///
    /// # Errors
    ///
    /// A host is not a name, or the system has no randomness.
    pub fn generate(hosts: &[String]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let authority_key = KeyPair::generate()?;
        let mut authority = parameters("ws-stack example authority", Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);

        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names
            .extend(hosts.iter().filter(|host| !names.contains(host)).cloned().collect::<Vec<_>>());
        let key = KeyPair::generate()?;
        let mut leaf = parameters("ws-stack example server", names)?;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let certificate = leaf.signed_by(&key, &issuer)?;

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Self { server: Arc::new(server), authority_pem })
    }
}

/// A client that trusts the authorities in `pem` and no others.
///
/// # Errors
///
/// The text holds no certificate, or one that cannot be an authority.
pub fn trusting(pem: &[u8]) -> Result<Arc<ClientConfig>, Box<dyn Error + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in the file".into());
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A client that believes any certificate: encryption without knowing with whom. For trials only.
///
/// # Errors
///
/// Never in practice: the provider has every protocol version.
pub fn trusting_anyone() -> Result<Arc<ClientConfig>, Box<dyn Error + Send + Sync>> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn parameters(name: &str, hosts: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(hosts)?;
    parameters.distinguished_name.push(DnType::CommonName, name);
    #[expect(clippy::disallowed_methods, reason = "a certificate is valid from a date on")]
    let now = SystemTime::now();
    // Clocks differ, and some clients refuse what is valid for longer than 825 days.
    parameters.not_before = (now - DAY).into();
    parameters.not_after = (now + 90 * DAY).into();
    Ok(parameters)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The host part of an address to listen on, where it is one that clients can name.
#[must_use]
pub fn host_of(address: &std::net::SocketAddr) -> Option<String> {
    let ip: IpAddr = address.ip();
    (!ip.is_unspecified()).then(|| ip.to_string())
}

/// Checks signatures, and believes every certificate.
#[derive(Debug)]
struct Anyone;

impl rustls::client::danger::ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
