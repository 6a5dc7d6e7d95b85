//! What a client asks for, whatever HTTP version carries the handshake.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rand::Rng as _;
use ws_frame::MaskKeys;
use ws_handshake::{Agreement, ClientOptions};
use ws_session::{Config, Session};

use crate::Error;
use crate::agreed::Agreed;

/// How a client connects. Build it with `..ConnectOptions::default()`, or by the methods: further
/// fields may come.
///
/// ```
/// use ws_io::ConnectOptions;
///
/// let options = ConnectOptions {
///     subprotocols: vec!["chat.v2".into(), "chat.v1".into()],
///     headers: vec![("Authorization".into(), "Bearer 12345".into())],
///     ..ConnectOptions::default()
/// };
/// let same = ConnectOptions::default()
///     .with_subprotocols(["chat.v2", "chat.v1"])
///     .with_header("Authorization", "Bearer 12345");
/// assert_eq!((options.subprotocols, options.headers), (same.subprotocols, same.headers));
/// ```
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The `Origin` to send. Default: none, as programs other than browsers do.
    pub origin: Option<String>,
    /// The subprotocols to offer, favourite first. Default: none.
    pub subprotocols: Vec<String>,
    /// Whether to fail when the server chooses none of the subprotocols. Default: no, as RFC 6455
    /// has it.
    pub require_subprotocol: bool,
    /// Header fields to add to the request: cookies, authorization, user agent. Default: none.
    pub headers: Vec<(String, String)>,
    /// The longest the whole handshake may take, TLS included where the caller passes on what is
    /// left. Default: 15 s.
    pub handshake_timeout: Duration,
    /// The longest silence of the server once it has begun to answer. Default: 5 s: it may think for
    /// as long as the handshake may take, but whoever has begun to speak has nothing to wait for.
    pub silence_timeout: Duration,
    /// The most bytes a response may have. Default: 64 KiB.
    pub max_handshake_size: usize,
    /// The most header fields a response may have. Default: 100.
    pub max_headers: usize,
    /// Limits and deadlines of the open connection.
    pub session: Arc<Config>,
    /// Whether, and how, to offer compression of messages (RFC 7692). Default: no.
    #[cfg(feature = "deflate")]
    pub deflate: Option<ws_deflate::Config>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            origin: None,
            subprotocols: Vec::new(),
            require_subprotocol: false,
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

impl ConnectOptions {
    /// Sets [`origin`](Self::origin).
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Sets [`subprotocols`](Self::subprotocols).
    #[must_use]
    pub fn with_subprotocols(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`require_subprotocol`](Self::require_subprotocol).
    #[must_use]
    pub fn with_require_subprotocol(mut self, is_required: bool) -> Self {
        self.require_subprotocol = is_required;
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

    /// The part of these options that goes into the request, for carriers that do the handshake
    /// themselves.
    #[must_use]
    pub fn to_request(&self) -> ClientOptions {
        ClientOptions {
            origin: self.origin.clone(),
            subprotocols: self.subprotocols.clone(),
            require_subprotocol: self.require_subprotocol,
            #[cfg(feature = "deflate")]
            extensions: self.deflate.iter().map(ws_deflate::client::offer).collect(),
            #[cfg(not(feature = "deflate"))]
            extensions: Vec::new(),
            headers: self.headers.clone(),
        }
    }

    /// Judges the parameters of the extensions the server agreed to.
    ///
    /// # Errors
    ///
    /// [`Error::Deflate`] when they are not what RFC 7692 allows as an answer to the offer.
    pub fn agree(&self, agreement: Agreement) -> Result<Agreed, Error> {
        #[cfg(feature = "deflate")]
        if let Some(config) = &self.deflate {
            let params = ws_deflate::client::accept_any(config, &agreement.extensions)
                .map_err(Error::Deflate)?;
            return Ok(Agreed { agreement, deflate: params });
        }
        Ok(Agreed::new(agreement))
    }

    /// The session of a connection on which this was agreed. `leftover` is what arrived behind the
    /// response.
    #[must_use]
    pub fn session(&self, agreed: &Agreed, leftover: BytesMut) -> Session {
        // RFC 6455 §5.3 and §10.3: unpredictable keys, here from a CSPRNG of the thread.
        let keys = MaskKeys::from_fill(|keys| rand::rng().fill(keys));
        let session = Session::client(Arc::clone(&self.session), keys).with_leftover(leftover);
        #[cfg(feature = "deflate")]
        if let (Some(params), Some(config)) = (agreed.deflate, &self.deflate) {
            return session.with_deflate(params, config);
        }
        #[cfg(not(feature = "deflate"))]
        let _ = agreed;
        session
    }
}
