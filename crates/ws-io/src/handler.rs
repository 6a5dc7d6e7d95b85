//! Connections as objects: a handler with one method per happening, and the loop that calls them.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_core::Stream;
use ws_close::CloseCode;
use ws_frame::Message;
use ws_session::{Failure, Outcome};

use crate::mailbox::{Inbox, Mailbox};
use crate::read_budget::READS_PER_TURN;
use crate::{Error, Runtime, Transport, UpgradeInfo, WebSocket};

/// What happens on a connection, one method each; [`run`] calls them, never two at a time.
///
/// Methods reply through their [`Peer`], in order and as often as they like, and say with the
/// returned [`Flow`] whether to go on. While a method waits nothing is read: a slow handler slows
/// its peer down instead of filling memory.
///
/// A method that fails or panics ends the connection with close code 1011; the outcome's cause is
/// then `handler_failed`.
///
/// ```
/// use ws_io::{Error, Flow, Handler, Message, Peer};
///
/// /// Greets, echoes, and passes on what the rest of the program says.
/// struct Chat;
///
/// impl Handler for Chat {
///     type Info = String;
///     type Error = Error;
///
///     async fn on_open(&mut self, peer: &mut Peer<'_, String>) -> Result<Flow, Error> {
///         peer.send(Message::text("welcome")).await?;
///         Ok(Flow::Continue)
///     }
///
///     async fn on_message(
///         &mut self,
///         message: Message,
///         peer: &mut Peer<'_, String>,
///     ) -> Result<Flow, Error> {
///         match message.as_text() {
///             Some("bye") => return Ok(Flow::Stop),
///             Some(_) => peer.send(message).await?,
///             None => {}
///         }
///         Ok(Flow::Continue)
///     }
///
///     async fn on_info(
///         &mut self,
///         line: String,
///         peer: &mut Peer<'_, String>,
///     ) -> Result<Flow, Error> {
///         peer.send(Message::from(line)).await?;
///         Ok(Flow::Continue)
///     }
/// }
/// ```
///
/// [`run`] with a [`mailbox`](crate::mailbox) makes it live.
pub trait Handler: Send {
    /// Messages from the rest of the program, sent through a [`Mailbox`]; `()` if there are none.
    type Info: Send + 'static;
    /// Why a method failed. It is logged and given back by [`run`], never sent to the peer.
    type Error: fmt::Debug + Send;

    /// The connection is open; nothing has been received yet.
    fn on_open(
        &mut self,
        peer: &mut Peer<'_, Self::Info>,
    ) -> impl Future<Output = Result<Flow, Self::Error>> + Send {
        let _ = peer;
        async { Ok(Flow::Continue) }
    }

    /// A message arrived: text, binary, ping (already answered), pong, or the peer's close frame.
    fn on_message(
        &mut self,
        message: Message,
        peer: &mut Peer<'_, Self::Info>,
    ) -> impl Future<Output = Result<Flow, Self::Error>> + Send;

    /// A message from the rest of the program arrived. Without this method it is ignored.
    fn on_info(
        &mut self,
        info: Self::Info,
        peer: &mut Peer<'_, Self::Info>,
    ) -> impl Future<Output = Result<Flow, Self::Error>> + Send {
        let _ = (info, peer);
        async { Ok(Flow::Continue) }
    }

    /// The connection has ended, in this way. Called exactly once by [`run`], whatever ended it,
    /// after the goodbye; a panic in here is caught.
    ///
    /// Not called when the task that runs [`run`] is itself dropped: then only the handler's own
    /// `Drop` runs.
    fn on_terminate(&mut self, outcome: &Outcome) -> impl Future<Output = ()> + Send {
        let _ = outcome;
        async {}
    }
}

/// Whether a connection goes on after a method of its [`Handler`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection goes on or it does not")]
pub enum Flow {
    /// Goes on; after a [`Peer::close`] until the peer has answered.
    Continue,
    /// Ends the connection in order, with close code 1000 unless [`Peer::close`] named another.
    /// No method but [`Handler::on_terminate`] is called any more.
    Stop,
}

/// The other end of the connection, as a [`Handler`] meets it.
pub struct Peer<'a, I> {
    link: &'a mut dyn Link,
    mailbox: &'a Mailbox<I>,
}

impl<I> Peer<'_, I> {
    /// Queues a reply; waits only while the queue is above high water. Replies leave in order, those
    /// of one burst of messages together.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| self.link.poll_ready(cx)).await?;
        self.link.start_send(message)
    }

    /// Waits until everything queued was handed to the transport. Replies are written without this
    /// as soon as there is nothing more to read.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.link.poll_flush(cx)).await
    }

    /// Queues a close frame behind the replies; nothing can be sent after it.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::start_close`].
    pub fn close(&mut self, code: CloseCode, reason: impl Into<String>) -> Result<(), Error> {
        self.link.start_close(code, reason.into())
    }

    /// The mailbox of this handler, to be handed to the rest of the program, or to write to oneself
    /// ([`Mailbox::try_send`]: waiting for room in one's own mailbox would wait for ever).
    #[must_use]
    pub fn mailbox(&self) -> Mailbox<I> {
        self.mailbox.clone()
    }

    /// The address of the peer, where the transport has one.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.link.peer_addr()
    }

    /// What the handshake asked for and agreed on.
    #[must_use]
    pub fn upgrade_info(&self) -> Option<&UpgradeInfo> {
        self.link.upgrade_info()
    }
}

impl<I> fmt::Debug for Peer<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("addr", &self.addr()).finish_non_exhaustive()
    }
}

/// Lets `handler` have the connection until it has ended.
///
/// `inbox` is where [`Handler::on_info`] gets its messages from; see [`mailbox`](crate::mailbox).
/// Messages of the peer and of the program take turns, so neither can starve the other; after 32 of the
/// program other tasks run.
pub async fn run<T: Transport, R: Runtime, H: Handler>(
    mut websocket: WebSocket<T, R>,
    mut handler: H,
    mut inbox: Inbox<H::Info>,
) -> Terminated<H, T, R> {
    let mailbox = inbox.mailbox().clone();
    let span = websocket.span().clone();
    let mut turns = Turns { inbox: &mut inbox, info_first: false, infos: 0 };
    let mut happening = Happening::Open;
    let fault = loop {
        let (subject, mut peer) = (&mut handler, Peer { link: &mut websocket, mailbox: &mailbox });
        let peer = &mut peer;
        let flow = match happening {
            Happening::Open => guard(&span, move || subject.on_open(peer)).await,
            Happening::Message(message) => {
                guard(&span, move || subject.on_message(message, peer)).await
            }
            Happening::Info(info) => guard(&span, move || subject.on_info(info, peer)).await,
            Happening::End => break None,
        };
        match flow {
            Ok(Flow::Continue) => {}
            Ok(Flow::Stop) => {
                // Refused when a goodbye is under way already, which then is the one.
                let _under_way = websocket.start_close(CloseCode::NORMAL, "");
                break None;
            }
            Err(fault) => {
                tracing::debug!(parent: &span, ?fault, "handler failed");
                websocket.fail(Failure::HandlerFailed);
                break Some(fault);
            }
        }
        happening = poll_fn(|cx| turns.poll_next(cx, &mut websocket)).await;
    };
    poll_fn(|cx| websocket.poll_end(cx)).await;
    if let Some(outcome) = websocket.outcome() {
        let subject = &mut handler;
        let told = guard(&span, move || async move {
            subject.on_terminate(outcome).await;
            Ok::<(), H::Error>(())
        });
        if let Err(fault) = told.await {
            tracing::debug!(parent: &span, ?fault, "handler failed at the end");
        }
    }
    Terminated { handler, fault, websocket }
}

/// A connection that [`run`] has seen to its end.
#[non_exhaustive]
pub struct Terminated<H: Handler, T: Transport, R: Runtime> {
    /// The handler, for what it gathered.
    pub handler: H,
    /// Why the handler failed, if it did.
    pub fault: Option<Fault<H::Error>>,
    /// The connection, which has ended; dropping it closes the transport.
    pub websocket: WebSocket<T, R>,
}

impl<H: Handler, T: Transport, R: Runtime> Terminated<H, T, R> {
    /// How the connection ended.
    ///
    /// # Panics
    ///
    /// Never: [`run`] returns only connections that have ended.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        self.websocket.outcome().expect("`run` returns when the connection has ended")
    }
}

impl<H: Handler, T: Transport, R: Runtime> fmt::Debug for Terminated<H, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminated")
            .field("fault", &self.fault)
            .field("websocket", &self.websocket)
            .finish_non_exhaustive()
    }
}

/// How a [`Handler`] failed.
#[non_exhaustive]
pub enum Fault<E> {
    /// A method returned this error.
    Failed(E),
    /// A method panicked with this payload.
    Panicked(Box<dyn Any + Send>),
}

impl<E: fmt::Debug> fmt::Debug for Fault<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Panicked(payload) => {
                let text = payload.downcast_ref::<&str>().copied();
                let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                f.debug_tuple("Panicked").field(&text).finish()
            }
        }
    }
}

/// What a handler may do with its connection, whatever transport and runtime that has.
trait Link: Send {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;
    fn start_send(&mut self, message: Message) -> Result<(), Error>;
    fn start_close(&mut self, code: CloseCode, reason: String) -> Result<(), Error>;
    fn peer_addr(&self) -> Option<SocketAddr>;
    fn upgrade_info(&self) -> Option<&UpgradeInfo>;
}

impl<T: Transport, R: Runtime> Link for WebSocket<T, R> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_ready(cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flush(cx)
    }

    fn start_send(&mut self, message: Message) -> Result<(), Error> {
        self.start_send(message)
    }

    fn start_close(&mut self, code: CloseCode, reason: String) -> Result<(), Error> {
        self.start_close(code, reason)
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr()
    }

    fn upgrade_info(&self) -> Option<&UpgradeInfo> {
        self.upgrade_info()
    }
}

enum Happening<I> {
    Open,
    Message(Message),
    Info(I),
    End,
}

/// Whose turn it is: the peer's or the program's.
struct Turns<'a, I> {
    inbox: &'a mut Inbox<I>,
    info_first: bool,
    /// Messages of the program since the task last let others run.
    infos: u8,
}

impl<I> Turns<'_, I> {
    fn poll_next<T: Transport, R: Runtime>(
        &mut self,
        cx: &mut Context<'_>,
        websocket: &mut WebSocket<T, R>,
    ) -> Poll<Happening<I>> {
        if self.infos == READS_PER_TURN {
            // A handler that writes to itself would never let its task wait, nor its peer be heard.
            self.infos = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.info_first
            && let Poll::Ready(info) = self.poll_info(cx)
        {
            self.info_first = false;
            return Poll::Ready(info);
        }
        if let Poll::Ready(next) = websocket.poll_message(cx) {
            self.info_first = true;
            return Poll::Ready(match next {
                Some(Ok(message)) => Happening::Message(message),
                // The outcome tells the failure.
                Some(Err(_)) | None => Happening::End,
            });
        }
        if !self.info_first
            && let Poll::Ready(info) = self.poll_info(cx)
        {
            return Poll::Ready(info);
        }
        self.infos = 0;
        Poll::Pending
    }

    fn poll_info(&mut self, cx: &mut Context<'_>) -> Poll<Happening<I>> {
        match Pin::new(&mut *self.inbox).poll_next(cx) {
            Poll::Ready(Some(info)) => {
                self.infos += 1;
                Poll::Ready(Happening::Info(info))
            }
            _ => Poll::Pending,
        }
    }
}

/// Runs a method of a handler inside the connection's span, turning a panic into a [`Fault`].
async fn guard<F, P, E>(span: &tracing::Span, method: impl FnOnce() -> F) -> Result<P, Fault<E>>
where
    F: Future<Output = Result<P, E>>,
{
    // The handler is not used after a panic except to be told of the end, as `Fault` says.
    let future = catch_unwind(AssertUnwindSafe(|| span.in_scope(method)));
    let mut future = pin!(future.map_err(Fault::Panicked)?);
    poll_fn(|cx| {
        let poll = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| future.as_mut().poll(cx))));
        match poll {
            Ok(poll) => poll.map_err(Fault::Failed),
            Err(payload) => Poll::Ready(Err(Fault::Panicked(payload))),
        }
    })
    .await
}
