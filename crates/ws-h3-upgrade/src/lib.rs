//! The WebSocket opening handshake over HTTP/3 (RFC 9220), client and server, without I/O.
//!
//! RFC 9220 takes over the handshake of RFC 8441 word for word, so this crate is `ws-h2-upgrade`
//! under its own name. Over HTTP/2 take that one, over HTTP/1.1 `ws-h1-upgrade`; to have the carrier
//! done for you, `ws-h3` or `ws-stack`.
//!
//! What differs is the HTTP library's part:
//!
//! | | HTTP/2 (RFC 8441) | HTTP/3 (RFC 9220) |
//! |---|---|---|
//! | the setting | `SETTINGS_ENABLE_CONNECT_PROTOCOL`, 0x8 | the same name and number, [registered separately](SETTINGS_ENABLE_CONNECT_PROTOCOL); absent means no |
//! | a value other than 0 and 1 | connection error `PROTOCOL_ERROR` | connection error `H3_SETTINGS_ERROR` |
//! | orderly end of a direction | `END_STREAM` | FIN on the stream |
//! | reset | `RST_STREAM` with `CANCEL` (0x8) | stream error [`H3_REQUEST_CANCELLED`] on both directions |
//! | unknown `:protocol` | an error status | 501 is recommended, and is what [`Error::refusal`] says |
//! | data before the answer | forbidden | forbidden, and 0-RTT must not carry the CONNECT |
//!
//! ```
//! use ws_h3_upgrade::{
//!     ACCEPTED, ClientOptions, ConnectRequest, HeaderFields, OriginPolicy, SubprotocolPolicy, WsUri,
//!     client_request, response_headers, validate_request, validate_response,
//! };
//!
//! // The client asks, once the server's SETTINGS have said that it may.
//! let uri = WsUri::parse("wss://example.com/chat")?;
//! let options = ClientOptions::default();
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
//! let upgrade = validate_request(&request, &SubprotocolPolicy::None)?;
//! upgrade.request.check_origin(&OriginPolicy::SameOrigin)?; // or pages of others may ask
//! let answer = response_headers(&upgrade, &HeaderFields::new())?;
//!
//! // The client checks.
//! let response = validate_response(ACCEPTED, &answer, &options)?;
//! assert_eq!(response.agreement.subprotocol, None);
//! # Ok::<(), ws_h3_upgrade::Error>(())
//! ```
//!
//! # With the crate `h3`
//!
//! `h3` 0.0.8 knows a closed list of values for `:protocol`, and `websocket` is not among them: its client
//! cannot send one (`"websocket".parse::<h3::ext::Protocol>()` is an error), and its server takes such
//! a request for a malformed one. Until that changes, take `ws-h3` as the carrier on your own
//! `quinn` connection. It hands you each WebSocket's request as a [`ConnectRequest`] and its stream as a
//! transport, and every other request to be answered as a page.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `http` | `ConnectRequest::from_http`, `ClientRequest::to_http`, `http_response` and `join_cookies` |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub use ws_h2_upgrade::*;

/// The HTTP/3 setting by which a server allows extended CONNECT (RFC 9220 §5).
pub const SETTINGS_ENABLE_CONNECT_PROTOCOL: u64 = 0x08;

/// The error code that takes the place of a TCP reset (RFC 9220 §3, RFC 9114 §8.1).
pub const H3_REQUEST_CANCELLED: u64 = 0x010c;
