//! A connection in two halves, one receiving and one sending, for two tasks.
//!
//! Both halves lock the one connection for the length of a poll; nothing awaits under the lock. The
//! transport and the timer know a single waker, which wakes both halves: whichever half moved the
//! connection last, neither can lose a wake-up to the other.
//!
//! A waker may run its task at once, and that may want the lock: the halves and the senders are woken
//! when it was given back. What wakes or drops other tasks all the same, such as a transport, may have one
//! of them poll the other half or drop it: then that waits, and dropping takes no lock. What is asked
//! then is answered beside the lock (`aside.rs`). Calls that change the connection and cannot wait,
//! `start_send` of the sink and `reunite`, are not for a task that such a one runs inline.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use ws_close::CloseCode;
use ws_frame::{DataKind, Message};
use ws_session::{Compress, Outcome, Prepared, SendError};

use crate::aside::Aside;
use crate::side::Side;
use crate::wakers::Wakers;
use crate::{Chunk, Error, Runtime, Sender, Transport, WebSocket};

/// The receiving half of a connection; made by [`WebSocket::split`].
///
/// **It must be polled for the connection to live**: it also answers pings, keeps the deadlines and
/// writes what the other half queued. When it is dropped, [`Writer::close`] still ends the
/// connection in order.
pub struct Reader<T: Transport, R: Runtime> {
    half: Half<T, R>,
}

/// The sending half of a connection; made by [`WebSocket::split`].
///
/// Dropping it sends nothing; the other half goes on receiving.
pub struct Writer<T: Transport, R: Runtime> {
    half: Half<T, R>,
}

pub(crate) fn halves<T: Transport, R: Runtime>(
    mut websocket: WebSocket<T, R>,
) -> (Reader<T, R>, Writer<T, R>) {
    websocket.set_split(true);
    // Whoever waited before has given it up.
    websocket.receive_no_more();
    let (wakers, aside) = (Arc::new(Wakers::default()), Aside::of(&websocket));
    let shared = Arc::new(Shared {
        websocket: Mutex::new(Some(websocket)),
        is_alone: AtomicBool::new(false),
        is_deaf: AtomicBool::new(false),
        waker: Waker::from(Arc::clone(&wakers)),
        wakers,
        aside,
    });
    let half = |side| Half { shared: Arc::clone(&shared), side };
    (Reader { half: half(Side::Receiving) }, Writer { half: half(Side::Sending) })
}

impl<T: Transport, R: Runtime> Reader<T, R> {
    /// Receives the next message; see [`WebSocket::next`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next`].
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        let _waiting = Waiting(&self.half);
        poll_fn(|cx| self.half.poll(cx, WebSocket::poll_message)).await
    }

    /// Receives data as it arrives; see [`WebSocket::next_chunk`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next_chunk`].
    pub async fn next_chunk(&mut self) -> Option<Result<Chunk, Error>> {
        let _waiting = Waiting(&self.half);
        poll_fn(|cx| self.half.poll(cx, WebSocket::poll_chunk)).await
    }

    /// A handle for further tasks; see [`WebSocket::sender`].
    pub fn sender(&mut self, capacity: usize) -> Sender {
        let Shared { wakers, aside, .. } = &*self.half.shared;
        if wakers.put_off() {
            return aside.sender(capacity);
        }
        let sender = self.half.with(|websocket| websocket.sender(capacity));
        aside.keep(&sender);
        sender
    }

    /// How the connection ended, as [`WebSocket::outcome`] tells it; `None` while it has not, or as long as
    /// the call of the other half has not returned that has found the end and runs this one inline.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.half.outcome()
    }

    /// Puts the halves together again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] gives both back if they are not of one connection.
    pub fn reunite(self, writer: Writer<T, R>) -> Result<WebSocket<T, R>, ReuniteError<T, R>> {
        if !Arc::ptr_eq(&self.half.shared, &writer.half.shared) {
            return Err(ReuniteError { reader: self, writer });
        }
        let websocket = self.half.shared.lock().take();
        let mut websocket = websocket.expect("both halves live, so nobody reunited them before");
        websocket.set_split(false);
        // As it was before the first call: a call to receive that was given up waits no more.
        websocket.receive_no_more();
        Ok(websocket)
    }
}

impl<T: Transport, R: Runtime> Writer<T, R> {
    /// Queues a message; see [`WebSocket::feed`]. The reader writes it, at once if it waits.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub async fn feed(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| self.half.poll(cx, WebSocket::poll_ready)).await?;
        self.half.change(|websocket| websocket.start_send(message))
    }

    /// Queues a message and says whether to compress it; see [`WebSocket::feed_with`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub async fn feed_with(&mut self, message: Message, compress: Compress) -> Result<(), Error> {
        poll_fn(|cx| self.half.poll(cx, WebSocket::poll_ready)).await?;
        self.half.change(|it| it.start(|session| session.send_with(message, compress)))
    }

    /// Queues a message that was encoded once for many connections; see [`WebSocket::feed_prepared`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub async fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        poll_fn(|cx| self.half.poll(cx, WebSocket::poll_ready)).await?;
        self.half.change(|websocket| websocket.start(|session| session.send_prepared(prepared)))
    }

    /// Queues a message and waits until it was handed to the transport; see [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| self.half.poll(cx, WebSocket::poll_ready)).await?;
        self.half.with(|websocket| websocket.start_send(message))?;
        self.flush().await
    }

    /// Queues a piece of a message; see [`WebSocket::feed_fragment`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub async fn feed_fragment(
        &mut self,
        kind: DataKind,
        data: Bytes,
        last: bool,
    ) -> Result<(), Error> {
        poll_fn(|cx| self.half.poll(cx, WebSocket::poll_ready)).await?;
        self.half.change(|websocket| websocket.start_fragment(kind, data, last))
    }

    /// Waits until everything queued was handed to the transport.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.half.poll(cx, WebSocket::poll_flush)).await
    }

    /// Sends a close frame and waits until the connection has ended.
    ///
    /// While the reader lives it is the reader that receives the rest and the outcome; without it
    /// this call does, and discards what arrives. A reader that nobody polls does not see the peer's
    /// answer: then this call returns when the close timeout has passed.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code or reason that cannot be sent; nothing happened then.
    pub async fn close(&mut self, code: CloseCode, reason: impl Into<String>) -> Result<(), Error> {
        poll_fn(|cx| self.half.poll(cx, |_, _| Poll::Ready(()))).await;
        match self.half.change(|websocket| websocket.start_close(code, reason)) {
            Err(Error::Send(error)) if !matches!(error, SendError::Closed) => {
                return Err(Error::Send(error));
            }
            _ => {}
        }
        poll_fn(|cx| self.half.poll_end(cx)).await;
        Ok(())
    }

    /// How the connection ended; see [`Reader::outcome`].
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.half.outcome()
    }
}

impl<T: Transport, R: Runtime> Stream for Reader<T, R> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().half.poll(cx, WebSocket::poll_message)
    }
}

/// As the sink of [`WebSocket`].
impl<T: Transport, R: Runtime> Sink<Message> for Writer<T, R> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().half.poll(cx, WebSocket::poll_ready)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.get_mut().half.change(|websocket| websocket.start_send(message))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().half.poll(cx, WebSocket::poll_flush)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let half = &self.get_mut().half;
        let result = half.poll(cx, WebSocket::poll_goodbye);
        // The deadline of the answer is for whoever waits to receive it.
        half.shared.wakers.wake_other(half.side);
        result
    }
}

impl<T: Transport, R: Runtime> fmt::Debug for Reader<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl<T: Transport, R: Runtime> fmt::Debug for Writer<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// The halves given to [`Reader::reunite`] are of two connections.
#[non_exhaustive]
pub struct ReuniteError<T: Transport, R: Runtime> {
    /// The receiving half, untouched.
    pub reader: Reader<T, R>,
    /// The sending half, untouched.
    pub writer: Writer<T, R>,
}

impl<T: Transport, R: Runtime> fmt::Debug for ReuniteError<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

impl<T: Transport, R: Runtime> fmt::Display for ReuniteError<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are of two connections")
    }
}

impl<T: Transport, R: Runtime> std::error::Error for ReuniteError<T, R> {}

struct Half<T: Transport, R: Runtime> {
    shared: Arc<Shared<T, R>>,
    side: Side,
}

impl<T: Transport, R: Runtime> Half<T, R> {
    /// Polls the connection with the waker that wakes both halves, of which this one is `cx`.
    fn poll<P>(
        &self,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut WebSocket<T, R>, &mut Context<'_>) -> Poll<P>,
    ) -> Poll<P> {
        let Shared { wakers, waker, is_alone, is_deaf, aside, .. } = &*self.shared;
        wakers.register(self.side, cx.waker());
        if wakers.put_off() {
            // The other half has the lock, further up in this thread, and wakes this one afterwards.
            return Poll::Pending;
        }
        let (result, has_ended) = self.with(|websocket| {
            if self.side == Side::Receiving {
                is_deaf.store(false, Ordering::Relaxed);
            }
            let cx = &mut Context::from_waker(waker);
            let result = poll(websocket, cx);
            let is_over = websocket.is_over();
            if is_over && self.side == Side::Sending && is_alone.load(Ordering::Acquire) {
                // Nobody is left who would receive what came before a failure, and meet the end behind it.
                let _met = websocket.poll_end(cx);
            }
            if is_over {
                aside.note(websocket.outcome());
            }
            (result, is_over)
        });
        if has_ended {
            // The other half may wait for the end, and the timer that would have woken it is gone.
            wakers.wake_other(self.side);
        }
        result
    }

    /// Ready when the connection has ended. Receives only when there is no other half.
    fn poll_end(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll(cx, |websocket, cx| {
            if websocket.outcome().is_some() {
                Poll::Ready(())
            } else if self.shared.is_alone.load(Ordering::Acquire) {
                websocket.poll_end(cx)
            } else {
                websocket.poll_end_beside_reader(cx)
            }
        })
    }

    /// Changes the connection, which the other half has to see.
    fn change<P>(&self, change: impl FnOnce(&mut WebSocket<T, R>) -> P) -> P {
        let result = self.with(change);
        self.shared.wakers.wake_other(self.side);
        result
    }

    fn outcome(&self) -> Option<Outcome> {
        let Shared { wakers, aside, .. } = &*self.shared;
        if wakers.is_held_here() {
            return aside.outcome();
        }
        self.with(|websocket| websocket.outcome().cloned())
    }

    fn with<P>(&self, act: impl FnOnce(&mut WebSocket<T, R>) -> P) -> P {
        let Shared { wakers, is_deaf, aside, .. } = &*self.shared;
        let mut state = self.shared.lock();
        let held = wakers.hold();
        let websocket = state.as_mut().expect("a half that can be used has not been reunited");
        if is_deaf.load(Ordering::Relaxed) {
            websocket.receive_no_more();
        }
        let result = act(websocket);
        let wakes = held.release();
        if wakes && let Some(outbox) = aside.take_outbox() {
            websocket.adopt(outbox);
        }
        let due = websocket.due();
        drop(state);
        if wakes {
            wakers.wake_both();
        }
        due.make();
        result
    }
}

/// A call that waits to receive. When it is given up nobody receives any more, and the peer is not to
/// be blamed for silence.
struct Waiting<'a, T: Transport, R: Runtime>(&'a Half<T, R>);

impl<T: Transport, R: Runtime> Drop for Waiting<'_, T, R> {
    fn drop(&mut self) {
        self.0.shared.is_deaf.store(true, Ordering::Relaxed);
    }
}

impl<T: Transport, R: Runtime> Drop for Half<T, R> {
    fn drop(&mut self) {
        let Shared { wakers, is_alone, is_deaf, .. } = &*self.shared;
        if self.side == Side::Receiving {
            is_deaf.store(true, Ordering::Relaxed);
        }
        is_alone.store(true, Ordering::Release);
        wakers.wake_other(self.side);
    }
}

struct Shared<T: Transport, R: Runtime> {
    /// Gone only once the halves are reunited, and then no half is left to ask for it.
    websocket: Mutex<Option<WebSocket<T, R>>>,
    /// Whether one of the halves was dropped.
    is_alone: AtomicBool,
    /// Whether nobody waits to receive. The connection is told under the lock.
    is_deaf: AtomicBool,
    /// `wakers`, as the connection knows it.
    waker: Waker,
    wakers: Arc<Wakers>,
    aside: Aside,
}

impl<T: Transport, R: Runtime> Shared<T, R> {
    fn lock(&self) -> MutexGuard<'_, Option<WebSocket<T, R>>> {
        self.websocket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
