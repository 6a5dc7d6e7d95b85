//! The WebSocket opening handshake over HTTP/1.1 (RFC 6455 §4), client and server, without I/O.
//!
//! Take it to add WebSockets to an HTTP server or client of your own. Over HTTP/2 and HTTP/3 take
//! `ws-h2-upgrade` and `ws-h3-upgrade`; to have sockets, TLS and messages done for you, `ws-stack`.
//!
//! There are two ways in. With an HTTP library that has parsed the head: [`validate_request`], then
//! [`response_headers`]; on the client [`request`], then [`validate_response`]. With a raw socket:
//! [`ServerHandshake`] and [`ClientHandshake`], which read from a buffer and leave in it what
//! follows the head, so that the first frame is never lost:
//!
//! ```text
//!  socket ──► buffer ──► ServerHandshake::receive ──► Upgrade ──► accept ──► socket
//!               │                                └──► Error ──► refusal, refuse ──► socket
//!               └ what follows the head: the client's first frames
//! ```
//!
//! **Who may ask is yours to say.** A browser lets every page ask, in the name of its user, and names the
//! page in `Origin`: judge it with [`Request::check_origin`] before you accept.
//!
//! A whole handshake in memory:
//!
//! ```
//! use bytes::BytesMut;
//! use ws_h1_upgrade::{
//!     ClientHandshake, ClientKey, ClientOptions, HandshakeLimits, HeaderFields, OriginPolicy,
//!     ServerHandshake, SubprotocolPolicy, WsUri, accept, request,
//! };
//!
//! // The client asks.
//! let uri = WsUri::parse("ws://example.com/chat")?;
//! let key = ClientKey::new([7; 16]); // from a secure source of random bytes
//! let options = ClientOptions { subprotocols: vec!["chat".into()], ..ClientOptions::default() };
//! let mut to_server = BytesMut::new();
//! request(&uri, &key, &options, &mut to_server)?;
//!
//! // The server reads, decides and answers.
//! let mut server =
//!     ServerHandshake::new(SubprotocolPolicy::optional(["chat"]), HandshakeLimits::default());
//! let upgrade = match server.receive(&mut to_server) {
//!     Ok(Some(upgrade)) => upgrade,
//!     Ok(None) => panic!("read more and call again"),
//!     Err(error) => panic!("answer error.refusal() and close: {error}"),
//! };
//! assert_eq!(upgrade.request.path, "/chat");
//! upgrade.request.check_origin(&OriginPolicy::SameOrigin)?;
//! let mut to_client = BytesMut::new();
//! accept(&upgrade, &HeaderFields::new(), &mut to_client)?;
//! to_client.extend_from_slice(b"\x81\x02hi"); // the first frame may travel with the answer
//!
//! // The client checks.
//! let mut client = ClientHandshake::new(key, options, HandshakeLimits::default());
//! let response = client.receive(&mut to_client)?.expect("the answer is complete");
//! assert_eq!(response.agreement.subprotocol.as_deref(), Some("chat"));
//! assert_eq!(&to_client[..], b"\x81\x02hi");
//! # Ok::<(), ws_h1_upgrade::Error>(())
//! ```
//!
//! | feature | adds |
//! |---|---|
//! | `http` | `validate_http_request` and `http_response` for the types of the `http` crate |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept_key;
mod body;
mod client;
mod error;
mod head;
#[cfg(feature = "http")]
mod http_types;
mod request;
mod response;
mod server;

pub use accept_key::{AcceptKey, ClientKey};
pub use client::{ClientHandshake, request};
pub use error::{Error, HeadProblem};
pub use head::HandshakeLimits;
#[cfg(feature = "http")]
pub use http_types::{http_response, validate_http_request};
pub use request::{RequestHead, Upgrade, path_of_target, validate_request};
pub use response::{ResponseHead, accept, refuse, response_headers, validate_response};
pub use server::ServerHandshake;
pub use ws_handshake::{
    Agreement, ClientOptions, Extension, HandshakeError, HeaderFields, Headers, Offer,
    OriginPolicy, Refusal, Request, Response, SubprotocolPolicy, UnexpectedResponse, WsUri,
};
