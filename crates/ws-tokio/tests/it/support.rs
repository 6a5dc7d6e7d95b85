//! What the tests of this crate share: certificates and plain use of a transport.

#[cfg(feature = "rustls")]
use std::sync::Arc;
#[cfg(feature = "rustls")]
use std::{future::poll_fn, io};

#[cfg(feature = "rustls")]
use bytes::BytesMut;
#[cfg(feature = "rustls")]
use rcgen::{CertifiedKey, generate_simple_self_signed};
#[cfg(feature = "rustls")]
use rustls::crypto::ring::default_provider;
#[cfg(feature = "rustls")]
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
#[cfg(feature = "rustls")]
use rustls::{ClientConfig, RootCertStore, ServerConfig};
#[cfg(feature = "rustls")]
use ws_io::Transport;
use ws_tokio::{Server, Shutdown, WebSocket};

/// Echoes every data message.
pub(crate) async fn echo(mut websocket: WebSocket) {
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() {
            // Refused once a goodbye is under way, which `next` sees to its end.
            let _ = websocket.feed(message).await;
        }
    }
}

/// Runs an echo server for the rest of the test.
pub(crate) fn serve(server: Server) -> (String, Shutdown) {
    let url = server.urls().next().expect("it listens");
    let shutdown = server.shutdown_handle();
    tokio::spawn(server.serve(echo));
    (url, shutdown)
}

/// A server for `localhost` and a client that trusts it.
#[cfg(feature = "rustls")]
pub(crate) fn certificates() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    certificates_for(&["localhost", "127.0.0.1", "::1"])
}

/// A server for these names and a client that trusts it.
#[cfg(feature = "rustls")]
pub(crate) fn certificates_for(names: &[&str]) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
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
    (Arc::new(server), Arc::new(client(roots)))
}

/// A client that trusts nobody.
#[cfg(feature = "rustls")]
pub(crate) fn distrustful() -> Arc<ClientConfig> {
    Arc::new(client(RootCertStore::empty()))
}

#[cfg(feature = "rustls")]
fn client(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them all")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Reads once.
#[cfg(feature = "rustls")]
pub(crate) async fn read(transport: &mut impl Transport, max: usize) -> io::Result<BytesMut> {
    let mut buf = BytesMut::new();
    poll_fn(|cx| transport.poll_read(cx, &mut buf, max)).await?;
    Ok(buf)
}

/// Writes everything and flushes.
#[cfg(feature = "rustls")]
pub(crate) async fn write(transport: &mut impl Transport, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        poll_fn(|cx| transport.poll_write(cx, &mut bytes)).await?;
    }
    poll_fn(|cx| transport.poll_flush(cx)).await
}

/// Ends our direction.
#[cfg(feature = "rustls")]
pub(crate) async fn shutdown(transport: &mut impl Transport) -> io::Result<()> {
    poll_fn(|cx| transport.poll_shutdown(cx)).await
}
