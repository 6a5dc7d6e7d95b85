//! A server that comes back after a crash and remembers one thing: its key for stateless resets.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use tokio::time::timeout;

use crate::goaway::{greet, serve};
use crate::relay::{Relay, Weather};
use crate::support::{h3_client, open};

const CALM: Weather = Weather { percent: 0, seed: 0 };
/// Shorter than QUIC waits for a connection that says nothing, and longer than a busy machine takes.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_takes_a_new_connection_when_the_server_does_not_know_the_old_one() {
    let ((before, mut old), (after, mut new)) = (serve(remembering()), serve(remembering()));
    let relay = Relay::start(before, CALM).await;
    let client = h3_client();
    let mut first = open(&client, relay.address, false).await;
    greet(&mut first).await;
    relay.replace_server(after).await;
    let second = timeout(PATIENCE, open(&client, relay.address, false));
    greet(&mut second.await.expect("in time")).await;
    assert!(old.try_recv().is_ok() && new.try_recv().is_ok(), "one connection with each");
    assert!(old.try_recv().is_err() && new.try_recv().is_err(), "and no other");
    let end = timeout(PATIENCE, first.next()).await.expect("a stateless reset");
    assert!(matches!(end, Some(Err(_))), "{end:?}");
}

fn remembering() -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(Key));
    config.cid_generator(|| Box::new(Ids));
    config
}

/// Names that another server of the kind may have given, too.
struct Ids;

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&rand::random::<[u8; 8]>())
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// A key that everybody knows.
struct Key;

impl HmacKey for Key {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        for (index, byte) in signature.iter_mut().enumerate() {
            *byte =
                data.iter().fold(index.to_le_bytes()[0], |sum, byte| sum.wrapping_mul(31) ^ byte);
        }
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let mut expected = vec![0; signature.len()];
        self.sign(data, &mut expected);
        if expected == signature { Ok(()) } else { Err(CryptoError) }
    }
}
