//! The client's handshake over HTTP/1.1 (RFC 6455 §4.1).

use std::time::Duration;

use bytes::BytesMut;
use rand::Rng as _;
use ws_h1_upgrade::{ClientHandshake, ClientKey, HandshakeLimits, Response, WsUri};
use ws_session::TransportError;

use crate::handshake::Wire;
use crate::{ConnectOptions, Error, Runtime, Transport, UpgradeInfo, WebSocket};

/// Opens a WebSocket over `transport`, which is connected (and for `wss` encrypted) already. Dropping
/// the future drops the transport.
///
/// # Errors
///
/// [`Error::TransportDoesNotSupportRecv`] before a byte is sent; [`Error::Handshake`] when the
/// options cannot be sent or the server's answer is not a WebSocket (a redirect or a challenge is
/// inside); [`Error::Transport`] when the transport failed or the answer did not come in time.
pub async fn connect<T: Transport, R: Runtime>(
    transport: T,
    runtime: R,
    uri: &WsUri,
    options: &ConnectOptions,
) -> Result<WebSocket<T, R>, Error> {
    if !transport.supports_handshake_recv() {
        return Err(Error::TransportDoesNotSupportRecv(transport.name()));
    }
    // RFC 6455 §4.1: a nonce chosen at random for each connection.
    let key = ClientKey::new(rand::rng().random());
    let asked = options.to_request();
    let mut request = BytesMut::new();
    ws_h1_upgrade::request(uri, &key, &asked, &mut request)?;
    let mut wire = Wire::new(transport, runtime, options.handshake_timeout)
        .charging(options.session.shared_budget.as_ref());
    wire.write(request).await?;
    let limits = HandshakeLimits {
        max_handshake_size: options.max_handshake_size,
        max_headers: options.max_headers,
        ..HandshakeLimits::default()
    };
    let mut has_begun = false;
    let mut handshake = ClientHandshake::new(key, asked, limits);
    let Response { agreement, headers, .. } = loop {
        let patience = match (handshake.is_refused(), has_begun) {
            (true, _) => BODY_PATIENCE,
            (false, true) => options.silence_timeout,
            // A server may think for as long as the handshake may take.
            (false, false) => Duration::MAX,
        };
        match wire.read(patience).await {
            Ok(true) => {}
            Err(error) if !handshake.is_refused() => return Err(error),
            Ok(false) | Err(_) => {
                let error = handshake.receive_eof().map(Error::from);
                return Err(error.unwrap_or(Error::Transport(TransportError::Closed)));
            }
        }
        if let Some(response) = handshake.receive(&mut wire.buffer)? {
            break response;
        }
        // Behind an interim answer the server may think again (RFC 9110 §15.2).
        has_begun = !wire.buffer.is_empty();
    };
    let agreed = options.agree(agreement)?;
    let session = options.session(&agreed, wire.take_leftover());
    let info = UpgradeInfo::new(uri.resource())
        .with_subprotocol(agreed.agreement.subprotocol)
        .with_headers(headers);
    Ok(wire.open(session, info))
}

/// How long the words of a refusal may pause: they may have no end but that of the connection.
const BODY_PATIENCE: Duration = Duration::from_millis(500);
