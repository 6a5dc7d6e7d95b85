//! What a server accepts, whatever HTTP version carries the handshake.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ws_handshake::{Agreement, HandshakeError, OriginPolicy, Request, SubprotocolPolicy};
use ws_session::{Config, Session, SharedBudget};

use crate::agreed::Agreed;

/// How a server takes connections in. Build it with `..AcceptOptions::default()`, or by the methods:
/// further fields may come.
///
/// ```
/// use ws_io::{AcceptOptions, OriginPolicy, SubprotocolPolicy};
///
/// let options = AcceptOptions {
///     origin: OriginPolicy::List(vec!["https://chat.example".into()]),
///     subprotocols: SubprotocolPolicy::required(["chat.v2", "chat.v1"]),
///     ..AcceptOptions::default()
/// };
/// let same = AcceptOptions::default()
///     .with_origin(OriginPolicy::list(["https://chat.example"]))
///     .with_subprotocols(SubprotocolPolicy::required(["chat.v2", "chat.v1"]));
/// assert_eq!(options.origin, same.origin);
/// ```
#[derive(Clone, Debug)]
pub struct AcceptOptions {
    /// Which subprotocol to speak. Default: none, whatever is offered.
    pub subprotocols: SubprotocolPolicy,
    /// Which web pages may connect. Default: those of the same origin, because a browser sends its
    /// cookies along whatever page asks for the connection. Requests without `Origin` pass.
    pub origin: OriginPolicy,
    /// Whether the transport is encrypted, which the same-origin rule has to know. Default: no. Set
    /// it where TLS ends before the stream is handed over, as it does in an HTTP server of your own;
    /// a [`Server`](https://docs.rs/ws-endpoint) knows it by itself.
    pub secure: bool,
    /// Header fields to add to the positive answer. Default: none.
    pub headers: Vec<(String, String)>,
    /// The longest the whole handshake may take, TLS included where the caller passes on what is
    /// left. Default: 15 s, enough for the slowest honest client.
    pub handshake_timeout: Duration,
    /// The longest silence of the client inside the handshake. Default: 5 s, so that connections
    /// that were opened and never used cost little.
    pub silence_timeout: Duration,
    /// The most bytes a request may have. Default: 64 KiB; a larger one is answered 431, or
    /// 414 when its first line alone is.
    pub max_handshake_size: usize,
    /// The most header fields a request may have. Default: 100; more are answered 431. A cookie that
    /// comes in pieces, as over HTTP/2 and HTTP/3, is one.
    pub max_headers: usize,
    /// Limits and deadlines of the open connection. Shared by all connections.
    pub session: Arc<Config>,
    /// Whether, and how, to compress messages when the client offers it (RFC 7692). Default: no:
    /// compression costs memory and time, and secrets beside text of an attacker must not be
    /// compressed together.
    #[cfg(feature = "deflate")]
    pub deflate: Option<ws_deflate::Config>,
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self {
            subprotocols: SubprotocolPolicy::default(),
            origin: OriginPolicy::default(),
            secure: false,
            headers: Vec::new(),
            handshake_timeout: Duration::from_secs(15),
            silence_timeout: Duration::from_secs(5),
            max_handshake_size: 64 * 1024,
            max_headers: 100,
            session: Arc::default(),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }
}

impl AcceptOptions {
    /// Sets [`subprotocols`](Self::subprotocols).
    #[must_use]
    pub fn with_subprotocols(mut self, policy: SubprotocolPolicy) -> Self {
        self.subprotocols = policy;
        self
    }

    /// Sets [`origin`](Self::origin).
    #[must_use]
    pub fn with_origin(mut self, policy: OriginPolicy) -> Self {
        self.origin = policy;
        self
    }

    /// Sets [`secure`](Self::secure).
    #[must_use]
    pub fn with_secure(mut self, is_secure: bool) -> Self {
        self.secure = is_secure;
        self
    }

    /// Adds to [`headers`](Self::headers).
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets [`handshake_timeout`](Self::handshake_timeout).
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets [`silence_timeout`](Self::silence_timeout).
    #[must_use]
    pub fn with_silence_timeout(mut self, silence: Duration) -> Self {
        self.silence_timeout = silence;
        self
    }

    /// Sets [`max_handshake_size`](Self::max_handshake_size).
    #[must_use]
    pub fn with_max_handshake_size(mut self, bytes: usize) -> Self {
        self.max_handshake_size = bytes;
        self
    }

    /// Sets [`max_headers`](Self::max_headers).
    #[must_use]
    pub fn with_max_headers(mut self, fields: usize) -> Self {
        self.max_headers = fields;
        self
    }

    /// Sets [`session`](Self::session).
    #[must_use]
    pub fn with_session(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.session = config.into();
        self
    }

    /// Sets [`deflate`](Self::deflate).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, config: ws_deflate::Config) -> Self {
        self.deflate = Some(config);
        self
    }

    /// Takes messages of up to `bytes` bytes, in one frame or in many: see
    /// [`Config::with_max_message`], which this does to [`session`](Self::session).
    #[must_use]
    pub fn with_max_message(mut self, bytes: usize) -> Self {
        let session = Arc::make_mut(&mut self.session);
        *session = session.clone().with_max_message(bytes);
        self
    }

    /// Whether the budget that connections share ([`Config::shared_budget`]), if there is one, has
    /// room for another one. Carriers that did the handshake themselves answer 503 when not;
    /// [`Incoming::accept`](crate::Incoming::accept) does.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.session.shared_budget.as_ref().is_none_or(SharedBudget::has_room)
    }

    /// Judges a request: its origin, its subprotocols, its extensions. For carriers that did the
    /// handshake themselves; [`Incoming::accept`](crate::Incoming::accept) asks this too.
    ///
    /// The request counts as encrypted if it or [`secure`](Self::secure) says so.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OriginNotAllowed`] or [`HandshakeError::NoAcceptableSubprotocol`].
    pub fn agree(&self, request: &Request) -> Result<Agreed, HandshakeError> {
        self.check_origin(request)?;
        let subprotocol = self.subprotocols.choose(&request.offer.subprotocols)?;
        Ok(self.agree_on(request, subprotocol.map(str::to_owned)))
    }

    /// A validator of HTTP/1.1 cannot know of the TLS around its request, and leaves `secure` false.
    pub(crate) fn check_origin(&self, request: &Request) -> Result<(), HandshakeError> {
        let secure = request.secure || self.secure;
        self.origin.check(request.offer.origin.as_deref(), secure, &request.authority)
    }

    /// What is agreed when someone else chose the subprotocol and judged the origin.
    #[must_use]
    pub fn agree_on(&self, request: &Request, subprotocol: Option<String>) -> Agreed {
        let agreed = Agreed::new(Agreement { subprotocol, extensions: Vec::new() });
        #[cfg(feature = "deflate")]
        if let Some(config) = &self.deflate
            && let Some((params, answer)) =
                ws_deflate::server::negotiate(config, &request.offer.extensions)
        {
            return agreed.with_deflate(params, answer);
        }
        #[cfg(not(feature = "deflate"))]
        let _ = request;
        agreed
    }

    /// The session of a connection on which this was agreed. `leftover` is what arrived behind the
    /// request.
    #[must_use]
    pub fn session(&self, agreed: &Agreed, leftover: BytesMut) -> Session {
        let session = Session::server(Arc::clone(&self.session)).with_leftover(leftover);
        #[cfg(feature = "deflate")]
        if let (Some(params), Some(config)) = (agreed.deflate, &self.deflate) {
            return session.with_deflate(params, config);
        }
        #[cfg(not(feature = "deflate"))]
        let _ = agreed;
        session
    }
}
