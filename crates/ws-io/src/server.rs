//! The server's handshake over HTTP/1.1 (RFC 6455 §4.2).

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use ws_h1_upgrade::{HandshakeLimits, ServerHandshake, Upgrade};
use ws_handshake::{HandshakeError, Refusal, Request, SubprotocolPolicy};
use ws_session::TransportError;

use crate::handshake::Wire;
use crate::page;
use crate::preface::{self, Preface};
use crate::read_budget::{self, CORK};
use crate::{AcceptOptions, Error, PageRequest, Runtime, Transport, UpgradeInfo, WebSocket};

/// Takes a connection in: reads the request, judges it by `options` and answers. Dropping the future
/// drops the transport.
///
/// # Errors
///
/// Why there is no connection; the client has been told. See [`Incoming`] to look at the request
/// before deciding.
pub async fn accept<T: Transport, R: Runtime>(
    transport: T,
    runtime: R,
    options: impl Into<Arc<AcceptOptions>>,
) -> Result<WebSocket<T, R>, Error> {
    // Boxed, so that whoever awaits this in the task of a connection does not keep the memory of
    // its handshake.
    Box::pin(async move { receive(transport, runtime, options).await?.accept().await }).await
}

/// Reads and validates a client's request, and leaves the answer to the caller. Dropping the future
/// drops the transport without one.
///
/// # Errors
///
/// The request is not a valid handshake, which the client has been told, or did not come in time.
pub async fn receive<T: Transport, R: Runtime>(
    transport: T,
    runtime: R,
    options: impl Into<Arc<AcceptOptions>>,
) -> Result<Incoming<T, R>, Error> {
    match receive_any(transport, runtime, options).await? {
        Arrival::Upgrade(incoming) => Ok(*incoming),
        Arrival::Page(request) => Err(request.turn_down().await),
        Arrival::Http2(preface) => Err(preface.refuse().await),
    }
}

/// What arrived at the port of a WebSocket server; made by [`receive_any`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Arrival<T: Transport, R: Runtime> {
    /// A valid request for a WebSocket.
    Upgrade(Box<Incoming<T, R>>),
    /// A valid `GET` or `HEAD` without `Upgrade`, or with one for other protocols alone: a browser that wants
    /// a page, or a load balancer, which may ask in HTTP/1.0.
    Page(PageRequest<T, R>),
    /// A client that begins HTTP/2 without having asked (RFC 9113 §3.3).
    Http2(Preface<T, R>),
}

/// As [`receive`], but leaves the answer to ordinary requests to the caller as well.
///
/// # Errors
///
/// The request is neither, which the client has been told, or did not come in time.
pub async fn receive_any<T: Transport, R: Runtime>(
    transport: T,
    runtime: R,
    options: impl Into<Arc<AcceptOptions>>,
) -> Result<Arrival<T, R>, Error> {
    let options = options.into();
    let mut wire = Wire::new(transport, runtime, options.handshake_timeout)
        .charging(options.session.shared_budget.as_ref());
    let limits = HandshakeLimits {
        max_handshake_size: options.max_handshake_size,
        max_headers: options.max_headers,
        ..HandshakeLimits::default()
    };
    // Whoever reads the request chooses the subprotocol, when it is to be answered.
    let mut handshake = ServerHandshake::new(SubprotocolPolicy::None, limits);
    loop {
        match wire.read(options.silence_timeout).await {
            Ok(true) => {}
            Ok(false) => return Err(Error::Transport(TransportError::Closed)),
            Err(error) => {
                let status = match &error {
                    Error::Transport(TransportError::Timeout) => 408,
                    Error::BudgetExceeded(_) => 503,
                    _ => return Err(error),
                };
                wire.extend();
                return Err(turn_down(wire, &Refusal::fixed(status, &[]), error).await);
            }
        }
        match preface::is_begun(&wire.buffer) {
            Some(true) => return Ok(Arrival::Http2(Preface::new(wire))),
            Some(false) => {}
            None => continue,
        }
        match handshake.receive(&mut wire.buffer) {
            Ok(None) => {}
            Ok(Some(mut upgrade)) => {
                // RFC 9110 §7.4: what is to be secure did not come over such a connection.
                if upgrade.request.secure && !options.secure {
                    let problem = ws_h1_upgrade::HeadProblem::Target;
                    let error = ws_h1_upgrade::Error::MalformedRequest { problem };
                    return Err(turn_down(wire, &error.refusal(), error.into()).await);
                }
                upgrade.request.secure = options.secure;
                let (choice, headers, attachment) = (None, Vec::new(), None);
                let incoming = Incoming { wire, options, upgrade, choice, headers, attachment };
                return Ok(Arrival::Upgrade(Box::new(incoming)));
            }
            Err(error) if error.asks_for_page() => {
                return Ok(Arrival::Page(PageRequest::new(wire, error)));
            }
            Err(error) => {
                return Err(turn_down(wire, &error.refusal(), error.into()).await);
            }
        }
    }
}

/// A client's valid request, waiting for an answer; made by [`receive`].
///
/// Take as long as the handshake timeout allows to decide, with any `await` in between. Dropping it
/// drops the transport without an answer.
///
/// ```
/// # use ws_io::{AcceptOptions, Error, Incoming, Refusal, Runtime, Transport, WebSocket, receive};
/// # async fn is_member<T, R: Runtime>(_: &Incoming<T, R>) -> bool { true }
/// async fn members_only<T: Transport, R: Runtime>(
///     transport: T,
///     runtime: R,
/// ) -> Result<Option<WebSocket<T, R>>, Error> {
///     let incoming = receive(transport, runtime, AcceptOptions::default()).await?;
///     if !is_member(&incoming).await {
///         incoming.refuse(Refusal::new(401)?).await?;
///         return Ok(None);
///     }
///     Ok(Some(incoming.accept().await?))
/// }
/// ```
pub struct Incoming<T, R: Runtime> {
    wire: Wire<T, R>,
    options: Arc<AcceptOptions>,
    upgrade: Upgrade,
    /// The subprotocol, once the caller chose: `Some(None)` is none.
    choice: Option<Option<String>>,
    headers: Vec<(String, String)>,
    attachment: Option<Arc<dyn Any + Send + Sync>>,
}

impl<T: Transport, R: Runtime> Incoming<T, R> {
    /// What the client asks for.
    pub fn request(&self) -> &Request {
        &self.upgrade.request
    }

    /// The transport below, for the address of the peer and the like.
    pub fn transport(&self) -> &T {
        &self.wire.transport
    }

    /// Speaks this subprotocol, or none, instead of what [`AcceptOptions::subprotocols`] says. It
    /// must be one the client offered.
    #[must_use]
    pub fn with_subprotocol(mut self, subprotocol: Option<impl Into<String>>) -> Self {
        self.choice = Some(subprotocol.map(Into::into));
        self
    }

    /// Adds a header field to the positive answer, `Set-Cookie` for example.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Hands on to the [`UpgradeInfo`] what the program made of the request.
    #[must_use]
    pub fn with_attachment(mut self, attachment: Arc<dyn Any + Send + Sync>) -> Self {
        self.attachment = Some(attachment);
        self
    }

    /// Accepts, if the options allow it: origin and subprotocol are judged here.
    ///
    /// # Errors
    ///
    /// The options refuse the request (the client has been told), or the answer could not be
    /// written.
    pub async fn accept(mut self) -> Result<WebSocket<T, R>, Error> {
        if !self.options.has_room() {
            let exceeded = self.wire.exceeded();
            return Err(turn_down(self.wire, &Refusal::fixed(503, &[]), exceeded).await);
        }
        let agreed = match self.agree() {
            Ok(agreed) => agreed,
            Err(error) => return Err(self.fail(error.into()).await),
        };
        self.upgrade.agreement = agreed.agreement.clone();
        let mut headers = self.options.headers.clone();
        headers.append(&mut self.headers);
        let mut answer = read_budget::take(CORK);
        if let Err(error) = ws_h1_upgrade::accept(&self.upgrade, &headers, &mut answer) {
            return Err(self.fail(error).await);
        }
        self.wire.write(&mut answer).await?;
        read_budget::give(&mut answer);
        let session = self.options.session(&agreed, self.wire.take_leftover());
        let Request { path, headers, .. } = self.upgrade.request;
        let info = UpgradeInfo::new(path)
            .with_subprotocol(agreed.agreement.subprotocol)
            .with_headers(headers);
        let info = match self.attachment {
            Some(attachment) => info.with_attachment(attachment),
            None => info,
        };
        Ok(self.wire.open(session, info))
    }

    /// Refuses with any status from 300 to 599, header fields and body, and closes the transport.
    ///
    /// # Errors
    ///
    /// The answer could not be written.
    pub async fn refuse(self, refusal: Refusal) -> Result<(), Error> {
        refuse(self.wire, &refusal).await
    }

    fn agree(&self) -> Result<crate::Agreed, HandshakeError> {
        let request = &self.upgrade.request;
        match &self.choice {
            None => self.options.agree(request),
            Some(subprotocol) => {
                self.options.check_origin(request)?;
                Ok(self.options.agree_on(request, subprotocol.clone()))
            }
        }
    }

    /// Tells the client why not, and the caller.
    fn fail(self, error: ws_h1_upgrade::Error) -> impl Future<Output = Error> {
        turn_down(self.wire, &error.refusal(), error.into())
    }
}

impl<T: Transport, R: Runtime> fmt::Debug for Incoming<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("transport", &self.wire.transport.name())
            .field("path", &self.upgrade.request.path)
            .finish_non_exhaustive()
    }
}

/// Tells the client why not, and gives the reason back, which counts whether the client hears or not.
pub(crate) fn turn_down<T: Transport, R: Runtime>(
    wire: Wire<T, R>,
    refusal: &Refusal,
    error: Error,
) -> impl Future<Output = Error> + use<T, R> {
    let told = refuse(wire, refusal);
    async {
        let _heard = told.await;
        error
    }
}

/// Boxed, because hardly any handshake is refused, and all would be as large as if.
pub(crate) fn refuse<T: Transport, R: Runtime>(
    mut wire: Wire<T, R>,
    refusal: &Refusal,
) -> impl Future<Output = Result<(), Error>> + use<T, R> {
    let mut answer = BytesMut::new();
    ws_h1_upgrade::refuse(refusal, &mut answer);
    page::fit_to_method(&wire.buffer, &mut answer);
    tracing::debug!(
        transport = wire.transport.name(),
        peer = ?wire.transport.peer_addr(),
        status = refusal.status(),
        "handshake refused"
    );
    Box::pin(async move {
        wire.write(answer).await?;
        wire.hang_up().await;
        Ok(())
    })
}
