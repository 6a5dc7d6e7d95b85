//! What every WebSocket handshake shares, whatever HTTP version carries it: header lists,
//! extensions, subprotocols, origins, and the shape of a request.
//!
//! This is plumbing. To upgrade a connection take `ws-h1-upgrade` (HTTP/1.1), `ws-h2-upgrade` or
//! `ws-h3-upgrade`, which are built from these parts; to open a socket and talk, take `ws-stack`.
//! There is no I/O here, and `std` is not needed.
//!
//! ```
//! use ws_handshake::{Offer, OriginPolicy, SubprotocolPolicy};
//!
//! // Any list of pairs will do; so does `http::HeaderMap` with the feature `http`.
//! let headers = [
//!     ("Host", "chat.example"),
//!     ("Origin", "https://chat.example"),
//!     ("Sec-WebSocket-Protocol", "chat.v2, chat.v1"),
//!     ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
//! ];
//! let offer = Offer::from_headers(&headers)?;
//!
//! OriginPolicy::SameOrigin.check(offer.origin.as_deref(), true, "chat.example")?;
//!
//! let policy = SubprotocolPolicy::optional(["chat.v1"]);
//! assert_eq!(policy.choose(&offer.subprotocols)?, Some("chat.v1"));
//!
//! assert_eq!(offer.extensions[0].name, "permessage-deflate");
//! assert_eq!(offer.extensions[0].params[0].name, "client_max_window_bits");
//! # Ok::<(), ws_handshake::HandshakeError>(())
//! ```
//!
//! | feature | adds |
//! |---|---|
//! | `http` | [`Headers`] for `http::HeaderMap`, [`Refusal`] into `http::Response`; needs `std` |
//! | `uri` | `WsUri`, and with it the IDNA tables |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

extern crate alloc;

mod authority;
mod client;
mod error;
mod extension;
pub mod field;
mod headers;
pub mod list;
mod origin;
mod refusal;
mod request;
mod response;
pub mod subprotocol;
#[cfg(feature = "uri")]
mod uri;

pub use authority::Authority;
pub use client::ClientOptions;
pub use error::{HandshakeError, Malformed, UrlProblem};
pub use extension::{Extension, ExtensionParam, MAX_PARAMS, format_extensions, parse_extensions};
pub use headers::{HeaderFields, Headers, trim_ows};
pub use origin::OriginPolicy;
pub use refusal::Refusal;
pub use request::{Agreement, Offer, Request, single, validate_version};
pub use response::{Response, UnexpectedResponse};
pub use subprotocol::SubprotocolPolicy;
#[cfg(feature = "uri")]
pub use uri::WsUri;
