//! The `h3::quic` connection traits over quinn.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming};

use super::halves::{TURN, to_varint};
use super::stream::{BidiStream, RecvStream, SendStream, connection_error};
use crate::error::Error;
use crate::link::{Link, Wait};

/// A QUIC connection as `h3` sees it.
pub(crate) struct Connection {
    opener: OpenStreams,
    accept_bi: Repeat<(quinn::SendStream, quinn::RecvStream)>,
    accept_uni: Repeat<quinn::RecvStream>,
}

/// Opens streams for `h3`.
pub(crate) struct OpenStreams {
    link: Arc<Link>,
    open_bi: Repeat<(quinn::SendStream, quinn::RecvStream)>,
    open_uni: Repeat<quinn::SendStream>,
    patience: Duration,
    /// While the peer allows no more requests.
    wait: Option<Wait>,
}

impl Connection {
    /// A request of ours waits for a stream for as long as `patience`; a server has none.
    pub(crate) fn new(link: &Arc<Link>, patience: Duration) -> Self {
        Self {
            opener: OpenStreams::new(link, patience),
            accept_bi: Repeat::new(|connection| {
                Box::pin(async move { (connection.accept_bi().await, connection) })
            }),
            accept_uni: Repeat::new(|connection| {
                Box::pin(async move { (connection.accept_uni().await, connection) })
            }),
        }
    }
}

impl OpenStreams {
    fn new(link: &Arc<Link>, patience: Duration) -> Self {
        Self {
            link: Arc::clone(link),
            patience,
            open_bi: Repeat::new(|connection| {
                Box::pin(async move { (connection.open_bi().await, connection) })
            }),
            open_uni: Repeat::new(|connection| {
                Box::pin(async move { (connection.open_uni().await, connection) })
            }),
            wait: None,
        }
    }
}

impl Clone for OpenStreams {
    fn clone(&self) -> Self {
        Self::new(&self.link, self.patience)
    }
}

impl quic::Connection<Bytes> for Connection {
    type RecvStream = RecvStream;
    type OpenStreams = OpenStreams;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RecvStream, ConnectionErrorIncoming>> {
        let link = &self.opener.link;
        self.accept_uni
            .poll(cx, &link.connection)
            .map_ok(|stream| RecvStream::new(link, stream))
            .map_err(connection_error)
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream, ConnectionErrorIncoming>> {
        let link = &self.opener.link;
        for _ in 0..TURN {
            match ready!(self.accept_bi.poll(cx, &link.connection)) {
                // `h3` rejects only those beyond the first after GOAWAY, and gives up accepting then.
                Ok(streams) if link.rejects() => {
                    reject(streams);
                    // Some may have been on their way, but not many.
                    link.count_waste();
                }
                Ok(streams) => return Poll::Ready(Ok(BidiStream::new(link, streams))),
                Err(error) => return Poll::Ready(Err(connection_error(error))),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn opener(&self) -> OpenStreams {
        self.opener.clone()
    }
}

impl quic::OpenStreams<Bytes> for Connection {
    type BidiStream = BidiStream;
    type SendStream = SendStream;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream, StreamErrorIncoming>> {
        self.opener.poll_open_bidi(cx)
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream, StreamErrorIncoming>> {
        self.opener.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<Bytes>::close(&mut self.opener, code, reason);
    }
}

impl quic::OpenStreams<Bytes> for OpenStreams {
    type BidiStream = BidiStream;
    type SendStream = SendStream;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream, StreamErrorIncoming>> {
        let unopened = |error| Poll::Ready(Err(StreamErrorIncoming::Unknown(Box::new(error))));
        // RFC 9114 §5.2: whatever the peer has room for now.
        if self.link.peer.borrow().goaway.is_some() {
            return unopened(Error::GoingAway);
        }
        let Poll::Ready(opened) = self.open_bi.poll(cx, &self.link.connection) else {
            let wait = self.wait.get_or_insert_with(|| Wait::new(&self.link, self.patience));
            let error = ready!(wait.poll_end(cx));
            // It has ended; whoever asks again has a wait of its own.
            self.wait = None;
            return unopened(error);
        };
        self.wait = None;
        Poll::Ready(opened.map(|streams| BidiStream::new(&self.link, streams)).map_err(lost))
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream, StreamErrorIncoming>> {
        self.open_uni.poll(cx, &self.link.connection).map_ok(SendStream::new).map_err(lost)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.link.close_for_h3(code, reason);
    }
}

/// Tells the client that nothing was done, so that it may try elsewhere (RFC 9114 §5.2).
fn reject((mut send, mut recv): (quinn::SendStream, quinn::RecvStream)) {
    let code = to_varint(Code::H3_REQUEST_REJECTED);
    // What has ended already needs neither.
    drop((send.reset(code), recv.stop(code)));
}

fn lost(error: quinn::ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error: connection_error(error) }
}

/// An operation on the connection that is started anew each time it has finished.
struct Repeat<T> {
    start: fn(quinn::Connection) -> Operation<T>,
    running: Option<Operation<T>>,
    /// What the last one has left for the next.
    connection: Option<quinn::Connection>,
}

/// Gives the connection back.
type Operation<T> = Pin<Box<dyn Future<Output = (Finished<T>, quinn::Connection)> + Send + Sync>>;
type Finished<T> = Result<T, quinn::ConnectionError>;

impl<T> Repeat<T> {
    fn new(start: fn(quinn::Connection) -> Operation<T>) -> Self {
        Self { start, running: None, connection: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>, connection: &quinn::Connection) -> Poll<Finished<T>> {
        let running = self.running.get_or_insert_with(|| {
            (self.start)(self.connection.take().unwrap_or_else(|| connection.clone()))
        });
        let (result, connection) = ready!(running.as_mut().poll(cx));
        self.running = None;
        self.connection = Some(connection);
        Poll::Ready(result)
    }
}
