//! The WebSocket opening handshake over HTTP/2 (RFC 8441), client and server, without I/O.
//!
//! One extended CONNECT opens a stream, and on that stream RFC 6455 is spoken as if it were a TCP
//! connection, masks included. Take this crate to add WebSockets to an HTTP/2 server or client of
//! your own; over HTTP/1.1 take `ws-h1-upgrade`, over HTTP/3 `ws-h3-upgrade`; to have the carrier
//! done for you, `ws-h2` or `ws-stack`.
//!
//! What the HTTP library must do: advertise `SETTINGS_ENABLE_CONNECT_PROTOCOL = 1` on a server that
//! serves WebSockets, and map the ends. `END_STREAM` is the orderly end of TCP, `RST_STREAM` with
//! `CANCEL` its reset.
//!
//! **Who may ask is yours to say.** A browser lets every page ask, in the name of its user, and names the
//! page in `Origin`: judge it with [`Request::check_origin`] before you accept.
//!
//! ```
//! use ws_h2_upgrade::{
//!     ACCEPTED, ClientOptions, ConnectRequest, HeaderFields, OriginPolicy, SubprotocolPolicy, WsUri,
//!     client_request, response_headers, validate_request, validate_response,
//! };
//!
//! // The client asks, once the server's SETTINGS have said that it may.
//! let uri = WsUri::parse("wss://example.com/chat")?;
//! let options = ClientOptions { subprotocols: vec!["chat".into()], ..ClientOptions::default() };
//! let asked = client_request(&uri, &options, Some(1))?;
//!
//! // The server reads, decides and answers.
//! let request = ConnectRequest {
//!     method: "CONNECT",
//!     protocol: Some("websocket"),
//!     scheme: Some(asked.scheme),
//!     authority: Some(&asked.authority),
//!     path: Some(&asked.path),
//!     headers: &asked.headers,
//! };
//! let upgrade = validate_request(&request, &SubprotocolPolicy::optional(["chat"]))?;
//! assert_eq!(upgrade.request.path, "/chat");
//! upgrade.request.check_origin(&OriginPolicy::SameOrigin)?;
//! let answer = response_headers(&upgrade, &HeaderFields::new())?;
//!
//! // The client checks.
//! let response = validate_response(ACCEPTED, &answer, &options)?;
//! assert_eq!(response.agreement.subprotocol.as_deref(), Some("chat"));
//! # Ok::<(), ws_h2_upgrade::Error>(())
//! ```
//!
//! | feature | adds |
//! |---|---|
//! | `http` | `ConnectRequest::from_http`, `ClientRequest::to_http`, `http_response` and `join_cookies` |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod cookies;
mod error;
mod pseudo;
mod request;
mod response;

pub use client::{ClientRequest, client_request};
#[cfg(feature = "http")]
pub use cookies::join_cookies;
pub use error::Error;
pub use pseudo::{ConnectRequest, validate_fields};
pub use request::{Upgrade, validate_request};
#[cfg(feature = "http")]
pub use response::http_response;
pub use response::{ACCEPTED, response_headers, validate_response};
pub use ws_handshake::{
    Agreement, ClientOptions, Extension, HandshakeError, HeaderFields, Headers, Offer,
    OriginPolicy, Refusal, Request, Response, SubprotocolPolicy, UnexpectedResponse, WsUri,
};
