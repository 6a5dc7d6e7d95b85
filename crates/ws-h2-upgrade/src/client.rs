//! The request a client sends (RFC 8441 §5).

#[cfg(feature = "http")]
use ws_handshake::HandshakeError;
use ws_handshake::{ClientOptions, WsUri, format_extensions};

use crate::error::Error;

/// An extended CONNECT to be sent. Nothing else may be sent on the stream before the answer is in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientRequest {
    /// `:scheme`: `https` for `wss`, `http` for `ws`.
    pub scheme: &'static str,
    /// `:authority`, which takes the place of `Host`.
    pub authority: String,
    /// `:path`.
    pub path: String,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl ClientRequest {
    /// `:method`.
    pub const METHOD: &'static str = "CONNECT";
    /// `:protocol`.
    pub const PROTOCOL: &'static str = "websocket";

    /// The request in the types of the `http` crate. `:protocol` has no place there: add the
    /// carrier's own extension, for `h2` an `h2::ext::Protocol`.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidHeader`] if a field was changed to something illegal after the
    /// request was made.
    #[cfg(feature = "http")]
    pub fn to_http(&self) -> Result<http::Request<()>, HandshakeError> {
        let invalid = |name: &str| HandshakeError::InvalidHeader { name: name.into() };
        let mut request = http::Request::new(());
        *request.method_mut() = http::Method::CONNECT;
        *request.uri_mut() = http::Uri::builder()
            .scheme(self.scheme)
            .authority(self.authority.as_str())
            .path_and_query(self.path.as_str())
            .build()
            .map_err(|_| invalid(":authority"))?;
        for (name, value) in &self.headers {
            let key = http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(name))?;
            let value =
                http::HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid(name))?;
            request.headers_mut().append(key, value);
        }
        Ok(request)
    }
}

/// Makes the request for `uri`, if the server has allowed it.
///
/// `peer_setting` is the value of `SETTINGS_ENABLE_CONNECT_PROTOCOL` (0x8) the server has sent, or
/// `None` if it has not; wait for its first SETTINGS before asking.
///
/// # Errors
///
/// [`Error::PeerDoesNotAllowConnectProtocol`] unless the setting is 1;
/// [`HandshakeError::InvalidHeader`](ws_handshake::HandshakeError::InvalidHeader) when something in
/// `options` must not be written.
pub fn client_request(
    uri: &WsUri,
    options: &ClientOptions,
    peer_setting: Option<u32>,
) -> Result<ClientRequest, Error> {
    if peer_setting != Some(1) {
        return Err(Error::PeerDoesNotAllowConnectProtocol);
    }
    options.validate()?;
    let mut headers = vec![("sec-websocket-version".into(), "13".into())];
    if let Some(origin) = &options.origin {
        headers.push(("origin".into(), origin.clone()));
    }
    if !options.subprotocols.is_empty() {
        headers.push(("sec-websocket-protocol".into(), options.subprotocols.join(", ")));
    }
    if !options.extensions.is_empty() {
        let list = format_extensions(&options.extensions);
        headers.push(("sec-websocket-extensions".into(), list));
    }
    let extra = options.headers.iter();
    headers.extend(extra.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    Ok(ClientRequest {
        scheme: uri.http_scheme(),
        authority: uri.host_header().into(),
        path: uri.resource().into(),
        headers,
    })
}
