//! What HTTP/2 and HTTP/3 have in common on a client: the extended CONNECT, and the judgement of the
//! answer.

use bytes::{Bytes, BytesMut};
use ws_h2_upgrade::{ClientOptions, HeaderFields, client_request, validate_response};
use ws_io::{ConnectOptions, Error, UnexpectedResponse, UpgradeInfo, WsUri};

use crate::WebSocket;
use crate::net::Net;
use crate::stream::Stream;

/// A request ready to be sent, on any connection to its origin.
pub(super) struct Asked<'a> {
    pub(super) request: http::Request<()>,
    uri: &'a WsUri,
    options: &'a ConnectOptions,
    offer: ClientOptions,
}

impl<'a> Asked<'a> {
    /// Fails before anything is sent if something in the options must not be.
    pub(super) fn new(uri: &'a WsUri, options: &'a ConnectOptions) -> Result<Self, Error> {
        let offer = options.to_request();
        // Whether the server allows it is seen by the carrier, which waits for the SETTINGS.
        let request = client_request(uri, &offer, Some(1)).map_err(plain)?;
        let request = request.to_http()?;
        Ok(Self { request, uri, options, offer })
    }

    /// The WebSocket on a stream that was opened by `response`.
    pub(super) fn open<N: Net>(
        &self,
        net: &N,
        response: &http::Response<()>,
        stream: Stream<N>,
    ) -> Result<WebSocket<N>, Error> {
        let status = response.status().as_u16();
        let answer = validate_response(status, response.headers(), &self.offer).map_err(plain)?;
        let agreed = self.options.agree(answer.agreement)?;
        let session = self.options.session(&agreed, BytesMut::new());
        let info = UpgradeInfo::new(self.uri.resource())
            .with_subprotocol(agreed.agreement.subprotocol)
            .with_headers(answer.headers);
        Ok(WebSocket::from_parts(stream, net.clone(), session, info))
    }
}

/// Reasons that do not depend on the version read the same as over HTTP/1.1.
fn plain(error: ws_h2_upgrade::Error) -> Error {
    match error {
        ws_h2_upgrade::Error::Handshake(error) => error.into(),
        other => other.into(),
    }
}

/// A server's refusal, with at most `kept` bytes of its body.
pub(super) fn refused(response: http::Response<Bytes>) -> Error {
    let (head, body) = response.into_parts();
    let headers = HeaderFields::copy_of(&head.headers);
    let mut response = UnexpectedResponse::new(head.status.as_u16(), headers);
    response.is_truncated = body.len() >= BODY_KEPT;
    response.body = body.into();
    ws_h2_upgrade::Error::UnexpectedStatus { response: Box::new(response) }.into()
}

/// What the carriers keep of a refusal's body.
const BODY_KEPT: usize = 16 * 1024;
