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

/// A server's refusal, with what its carrier has kept of the body.
pub(super) fn refused(response: http::Response<Bytes>) -> Error {
    let (head, body) = response.into_parts();
    let announced = head.headers.get(http::header::CONTENT_LENGTH);
    let announced: Option<usize> = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    let headers = HeaderFields::copy_of(&head.headers);
    let mut response = UnexpectedResponse::new(head.status.as_u16(), headers);
    response.is_truncated = match announced {
        Some(length) => body.len() < length,
        // A carrier does not say whether a body goes on that is as long as it keeps one.
        None => body.len() >= BODY_KEPT,
    };
    response.body = body.into();
    ws_h2_upgrade::Error::UnexpectedStatus { response: Box::new(response) }.into()
}

/// What the carriers keep of a refusal's body at most.
const BODY_KEPT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_truncated_when_less_has_come_than_was_announced_or_as_much_as_is_kept() {
        for (announced, came, is_truncated) in [
            (None, 0, false),
            (None, BODY_KEPT - 1, false),
            (None, BODY_KEPT, true),
            (Some(0), 0, false),
            (Some(BODY_KEPT), BODY_KEPT, false),
            (Some(BODY_KEPT + 1), BODY_KEPT, true),
            // The rest did not come in time.
            (Some(100), 99, true),
        ] {
            let mut response = http::Response::builder().status(403);
            if let Some(announced) = announced {
                response = response.header("content-length", announced);
            }
            let response = response.body(Bytes::from(vec![b'a'; came])).expect("a response");
            let error = refused(response);
            let found = error.response().expect("it has the answer");
            assert_eq!(found.is_truncated, is_truncated, "{came} of {announced:?}");
            assert_eq!(found.body.len(), came);
        }
    }
}
