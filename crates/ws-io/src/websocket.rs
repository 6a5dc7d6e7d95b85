//! The WebSocket connection as its user meets it.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use ws_close::{CloseCode, CloseFrame};
use ws_frame::{DataKind, Message};
use ws_session::{Account, Compress, Event, Failure, Outcome, Prepared, SendError, Session};

use crate::calls::{Feed, FeedFragment, Next, NextChunk};
use crate::connection::Connection;
use crate::sender::Outbox;
use crate::split::{self, Reader, Writer};
use crate::tasks::Tasks;
use crate::{Chunk, Error, NoticeBoard, Parts, Runtime, Sender, Transport, UpgradeInfo};

/// A WebSocket connection over transport `T` on runtime `R`.
///
/// **Call [`next`](Self::next) until it returns `None`.** It reads, answers pings, keeps the
/// deadlines, and writes what [`feed`](Self::feed) queued just before it would wait: a loop of
/// `next` and `feed` answers a burst of messages with one write. That is the fast loop.
///
/// Every future of this type may be dropped at any await without losing a message or a byte; a
/// dropped [`feed`](Self::feed) or [`send`](Self::send) has either queued its message whole or not
/// at all.
///
/// **Close it, or read it to its end.** One that is dropped before takes with it what was fed and
/// not written, and says no goodbye: the peer finds the connection broken (1006).
pub struct WebSocket<T: Transport, R: Runtime> {
    pub(crate) connection: Box<Connection<T, R>>,
    identity: Box<Identity>,
    reported: bool,
}

/// What is not needed to move bytes.
struct Identity {
    info: Option<UpgradeInfo>,
    /// `None` when nobody listens.
    span: Option<Box<tracing::Span>>,
    /// `None` unless it has waited as a stream or as a sink.
    tasks: Option<Box<Tasks>>,
}

static NO_SPAN: tracing::Span = tracing::Span::none();

impl<T: Transport, R: Runtime> WebSocket<T, R> {
    /// Takes over after a handshake that was done elsewhere: by an HTTP server, or on an HTTP/2 or
    /// HTTP/3 stream. What arrived behind the handshake belongs into the session
    /// ([`Session::with_leftover`]).
    pub fn from_parts(transport: T, runtime: R, session: Session, info: UpgradeInfo) -> Self {
        Self::new(Connection::new(transport, runtime, session), info)
    }

    pub(crate) fn new(mut connection: Connection<T, R>, info: UpgradeInfo) -> Self {
        connection.session.set_beside(info.held());
        let span = tracing::debug_span!(
            "websocket",
            transport = connection.transport.name(),
            peer = connection.transport.peer_addr().map(tracing::field::display),
            // Not the query, where browsers have to put their tokens.
            path = ?info.path_only(),
        );
        tracing::debug!(parent: &span, "connection open");
        let span = (!span.is_disabled()).then(|| Box::new(span));
        let identity = Box::new(Identity { info: Some(info), span, tasks: None });
        Self { connection: Box::new(connection), identity, reported: false }
    }

    /// Receives the next message: text, binary, ping, pong, and the peer's close frame.
    ///
    /// Pings are already answered when they show up here. After the peer's close frame `next` ends
    /// the connection in order and then returns `None`. A failure is returned once, after
    /// everything that arrived before it and after the goodbye, then `None`.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `None` without an error before it means an orderly end.
    #[expect(clippy::should_implement_trait, reason = "the name that async streams have given it")]
    pub fn next(&mut self) -> impl Future<Output = Option<Result<Message, Error>>> {
        Next { websocket: self }
    }

    /// Receives data as it arrives, in pieces, without collecting whole messages: for messages that
    /// are large or never end. Control frames come in between.
    ///
    /// Text pieces are checked as UTF-8 all the same, but may be cut inside a character.
    ///
    /// May be used in turn with [`next`](Self::next), which skips the rest of a message of which a
    /// piece was received here, and of no other: a call that is given up takes nothing.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_chunk(&mut self) -> impl Future<Output = Option<Result<Chunk, Error>>> {
        NextChunk { websocket: self }
    }

    /// Queues a message; waits only while the queue is above high water, or twice that after a read.
    ///
    /// The queue is written by the next call that waits ([`next`](Self::next)) or flushes; without
    /// one it is lost when the WebSocket is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the message is refused, otherwise why the connection ended.
    pub fn feed(&mut self, message: Message) -> impl Future<Output = Result<(), Error>> {
        // Not an async function, which would keep the message twice.
        Feed { websocket: self, message: Some(message) }
    }

    /// As [`feed`](Self::feed), and says whether to compress the message, where compression was
    /// agreed on.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub async fn feed_with(&mut self, message: Message, compress: Compress) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.start(|session| session.send_with(message, compress))
    }

    /// As [`feed`](Self::feed), with a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub async fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.start(|session| session.send_prepared(prepared))
    }

    /// Queues a message and waits until it was handed to the transport.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a piece of a message, which becomes a frame of its own; `last` ends the message. Only
    /// control messages may be sent before that.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_fragment(
        &mut self,
        kind: DataKind,
        data: Bytes,
        last: bool,
    ) -> impl Future<Output = Result<(), Error>> {
        FeedFragment { websocket: self, kind, data: Some(data), last }
    }

    /// Waits until everything queued was handed to the transport.
    ///
    /// # Errors
    ///
    /// Why the connection ended.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Says goodbye and sees the connection to its end: sends the close frame behind what is queued,
    /// waits for the peer's and ends the transport, bounded by the
    /// [close timeout](ws_session::Config::close_timeout). Messages that still arrive are discarded; to
    /// see them, use [`start_close`](Self::start_close) and go on with [`next`](Self::next).
    ///
    /// If a goodbye is under way already, waits for its end. Dropping the future leaves it under way.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code or reason that cannot be sent; nothing happened then. How the
    /// connection ended is not an error but the [`Outcome`].
    pub async fn close(
        &mut self,
        code: CloseCode,
        reason: impl Into<String>,
    ) -> Result<&Outcome, Error> {
        match self.start_close(code, reason) {
            Ok(()) | Err(Error::Send(SendError::Closed)) => {}
            Err(error @ Error::Send(_)) => return Err(error),
            Err(_ended) => {}
        }
        poll_fn(|cx| self.poll_end(cx)).await;
        let outcome = self.connection.session.outcome();
        Ok(outcome.expect("a session that has finished has an outcome"))
    }

    /// Queues a close frame. Data can no longer be sent; receiving goes on until the peer's answer.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code or reason that cannot be sent, or when one was queued before.
    pub fn start_close(&mut self, code: CloseCode, reason: impl Into<String>) -> Result<(), Error> {
        self.start(|session| session.close(Some(CloseFrame::new(code, reason))))
    }

    /// A handle with which other tasks send on this connection, drained by [`next`](Self::next).
    ///
    /// The first call makes the queue; later calls return further handles to the same queue. It has
    /// room for `capacity` messages, but at least one, and for as many bytes as
    /// [`Config::memory_budget`](ws_session::Config::memory_budget); a message that is larger still
    /// has room when no other waits.
    pub fn sender(&mut self, capacity: usize) -> Sender {
        self.connection.sender(capacity)
    }

    /// Does what `board` says, in whichever task the connection is: how a server ends all its
    /// connections, instead of with a [`Sender`] for each.
    ///
    /// It leaves when [`next`](Self::next) finds nothing more to deliver. When it is cut, calls that
    /// wait and those after them fail with [`TransportError::Closed`](crate::TransportError::Closed).
    pub fn watch(&mut self, board: Arc<dyn NoticeBoard>) {
        self.connection.watch(board);
    }

    /// Splits into halves that two tasks may use at the same time, the receiving one first.
    /// `StreamExt::split` gives them the other way round, the sink first.
    pub fn split(self) -> (Reader<T, R>, Writer<T, R>) {
        split::halves(self)
    }

    /// Takes the connection apart. The session keeps what it has queued and buffered.
    pub fn into_parts(self) -> Parts<T, R> {
        let Connection { transport, runtime, mut session, write_error, .. } = *self.connection;
        if let Some(error) = write_error {
            session.receive_error(*error);
        }
        let info = self.identity.info.unwrap_or_default();
        Parts { transport, runtime, session, info }
    }

    /// How the connection ended; `None` while it has not.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.connection.session.outcome()
    }

    /// What is held for the peer, by kind, as it counts for
    /// [`Config::memory_budget`](ws_session::Config::memory_budget). What the transport buffers, and
    /// messages in the queue of a [`Sender`], which has bounds of its own, are not in it.
    pub fn account(&self) -> Account {
        self.connection.session.account()
    }

    /// The subprotocol the handshake agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.upgrade_info().and_then(UpgradeInfo::subprotocol)
    }

    /// What was asked for and agreed on in the handshake; `None` once
    /// [taken](Self::take_upgrade_info).
    pub fn upgrade_info(&self) -> Option<&UpgradeInfo> {
        self.identity.info.as_ref()
    }

    /// Takes the record of the handshake out, which frees its memory.
    pub fn take_upgrade_info(&mut self) -> Option<UpgradeInfo> {
        self.connection.session.set_beside(0);
        self.identity.info.take()
    }

    /// The span that the log of this connection belongs to, to put your own into it. It has the path
    /// that was asked for, without its query.
    pub fn span(&self) -> &tracing::Span {
        self.identity.span.as_deref().unwrap_or(&NO_SPAN)
    }

    /// The address of the peer, where the transport has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection.transport.peer_addr()
    }

    /// The transport below. Reading or writing on it would tear frames apart.
    pub fn transport(&self) -> &T {
        &self.connection.transport
    }

    /// The poll form of [`next`](Self::next). Must be polled again after `Ready`; after `Pending`
    /// when woken.
    #[inline(always)]
    pub(crate) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        match self.connection.poll_whole() {
            Some(message) => Poll::Ready(Some(Ok(message))),
            None => self.poll_any_message(cx),
        }
    }

    #[inline(never)]
    pub(crate) fn poll_any_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        loop {
            match ready!(self.connection.poll_event(cx, false)) {
                Some(Event::Message(message)) => return Poll::Ready(Some(Ok(message))),
                Some(_) => {}
                None => return Poll::Ready(self.report().map(Err)),
            }
        }
    }

    #[inline(always)]
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Chunk, Error>>> {
        match self.connection.poll_whole() {
            Some(message) => Poll::Ready(Some(Ok(Chunk::from(message)))),
            None => self.poll_any_chunk(cx),
        }
    }

    #[inline(never)]
    fn poll_any_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Error>>> {
        loop {
            match ready!(self.connection.poll_event(cx, true)) {
                Some(Event::Message(message)) => {
                    return Poll::Ready(Some(Ok(Chunk::Control(message))));
                }
                Some(Event::Chunk { kind, data, last }) => {
                    return Poll::Ready(Some(Ok(Chunk::Data { kind, data, last })));
                }
                Some(_) => {}
                None => return Poll::Ready(self.report().map(Err)),
            }
        }
    }

    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.connection.poll_ready(cx)
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.connection.poll_flush(cx)
    }

    pub(crate) fn start_send(&mut self, message: Message) -> Result<(), Error> {
        self.start(|session| session.send(message))
    }

    pub(crate) fn start_fragment(
        &mut self,
        kind: DataKind,
        data: Bytes,
        last: bool,
    ) -> Result<(), Error> {
        self.start(|session| session.send_fragment(kind, data, last))
    }

    /// Queues something, if the connection has not ended.
    pub(crate) fn start(
        &mut self,
        queue: impl FnOnce(&mut Session) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.connection.check_open()?;
        self.connection.prepare_queue();
        Ok(queue(&mut self.connection.session)?)
    }

    /// Drives the connection to its end, discarding what arrives.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while ready!(self.connection.poll_event(cx, true)).is_some() {}
        // Whoever asked for the end looks at the outcome; the log has it all the same.
        let _outcome = self.report();
        Poll::Ready(())
    }

    /// As [`Connection::poll_end_beside_reader`].
    pub(crate) fn poll_end_beside_reader(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.poll_end_beside_reader(cx)
    }

    /// Takes note that nobody waits to receive.
    pub(crate) fn receive_no_more(&mut self) {
        self.connection.receiver_waits = false;
    }

    pub(crate) fn tasks(&mut self) -> &mut Option<Box<Tasks>> {
        &mut self.identity.tasks
    }

    pub(crate) fn set_split(&mut self, is_split: bool) {
        self.connection.is_split = is_split;
    }

    /// As [`Connection::queue`].
    pub(crate) fn queue(&self) -> (Option<Sender>, usize) {
        self.connection.queue()
    }

    /// As [`Connection::adopt`].
    pub(crate) fn adopt(&mut self, outbox: Box<Outbox>) {
        self.connection.adopt(outbox);
    }

    /// As [`Connection::due`].
    pub(crate) fn due(&mut self) -> crate::due::Due {
        self.connection.due()
    }

    /// Whether there is nothing to wait for any more: it has ended, or cannot be written.
    pub(crate) fn is_over(&self) -> bool {
        self.outcome().is_some() || self.connection.write_error.is_some()
    }

    pub(crate) fn is_reported(&self) -> bool {
        self.reported
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        self.connection.fail(failure);
    }

    /// The failure that ended the connection, the first time it is asked for.
    fn report(&mut self) -> Option<Error> {
        if std::mem::replace(&mut self.reported, true) {
            return None;
        }
        let outcome = self.outcome()?;
        tracing::debug!(
            parent: self.span(),
            // In full: the name of a cause says nothing of which violation it was.
            cause = ?outcome.cause,
            code = outcome.code.get(),
            reason = ?outcome.reason,
            sent = ?outcome.sent,
            clean = outcome.clean,
            "connection ended"
        );
        Error::of(outcome)
    }
}

impl<T: Transport, R: Runtime> fmt::Debug for WebSocket<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("transport", &self.connection.transport.name())
            .field("info", &self.identity.info)
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}
