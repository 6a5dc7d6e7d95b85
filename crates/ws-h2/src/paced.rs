//! A socket that hands out its bytes in turns, and takes those of a turn together.
//!
//! `h2` reads its socket until it is empty, and a peer that floods can keep it at that for ever. A
//! turn ends after [`TURN`] bytes: then the frames that were read are taken off the connection and
//! other tasks run. So what can pile up inside `h2` between two turns is bounded on any runtime.
//!
//! What `h2` writes in a turn is [gathered](crate::gathered) and leaves at its end.
//!
//! It also looks at what `h2` does not: whether the peer's first frame is SETTINGS (RFC 9113 §3.4).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::failure::Failure;
use crate::gathered::Gathered;

/// Bytes of a turn: small enough that the least frames possible (10 bytes each) take little memory
/// until they are taken off, large enough to be no brake (a system call reads less).
pub(crate) const TURN: usize = 64 * 1024;

/// The socket as `h2` sees it.
#[derive(Debug)]
pub(crate) struct Paced<IO>(Arc<Mutex<Socket<IO>>>);

/// The socket as the task of its connection sees it, which says when a turn begins and ends.
#[derive(Debug)]
pub(crate) struct Turn<IO>(Arc<Mutex<Socket<IO>>>);

#[derive(Debug)]
struct Socket<IO> {
    io: IO,
    /// How many bytes were read in this turn.
    read: usize,
    /// And how many so far, wrapping.
    received: Arc<AtomicUsize>,
    failure: Failure,
    /// How many bytes are still to come before the type of the first frame.
    before_type: Option<usize>,
    /// Nothing before the first turn: who opens a connection flushes what `h2` writes then.
    gathered: Option<Gathered>,
}

impl<IO> Turn<IO> {
    /// Begins the next one.
    pub(crate) fn begin(&self) {
        let mut socket = lock(&self.0);
        socket.read = 0;
        socket.gathered.get_or_insert_default();
    }

    /// Whether `h2` may not have been able to write all that it has.
    pub(crate) fn is_full(&self) -> bool {
        lock(&self.0).gathered.as_ref().is_some_and(Gathered::is_full)
    }
}

impl<IO: AsyncWrite + Unpin> Turn<IO> {
    /// Ends it: hands over all that was written in it, and notes how much the socket has taken so far.
    pub(crate) fn poll_end(
        &self,
        cx: &mut Context<'_>,
        taken: &AtomicUsize,
    ) -> Poll<io::Result<()>> {
        let mut socket = lock(&self.0);
        let ended = socket.poll_flush(cx);
        taken.store(socket.gathered.as_ref().map_or(0, Gathered::total), Ordering::Relaxed);
        ended
    }
}

impl<IO> Paced<IO> {
    /// The socket of a connection on which the peer begins with so many bytes of preface before its
    /// first frame.
    pub(crate) fn new(io: IO, preface: usize) -> (Self, Turn<IO>) {
        let before_type = Some(preface + BEFORE_TYPE);
        let (received, failure) = (Arc::default(), Failure::default());
        let socket = Socket { io, read: 0, received, failure, before_type, gathered: None };
        let socket = Arc::new(Mutex::new(socket));
        (Self(Arc::clone(&socket)), Turn(socket))
    }

    /// How many bytes were read so far, wrapping, now and from now on.
    pub(crate) fn received(&self) -> Arc<AtomicUsize> {
        Arc::clone(&lock(&self.0).received)
    }

    /// What reading has failed with, if it has by the time that one looks.
    pub(crate) fn failure(&self) -> Failure {
        lock(&self.0).failure.clone()
    }
}

fn lock<IO>(socket: &Mutex<Socket<IO>>) -> MutexGuard<'_, Socket<IO>> {
    socket.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<IO> Socket<IO> {
    fn check(&mut self, arrived: &[u8]) -> io::Result<()> {
        let Some(before) = self.before_type else { return Ok(()) };
        let Some(kind) = arrived.get(before) else {
            self.before_type = Some(before - arrived.len());
            return Ok(());
        };
        self.before_type = None;
        if *kind == SETTINGS {
            return Ok(());
        }
        let message = "the peer's first frame of HTTP/2 is not SETTINGS";
        Err(io::Error::new(io::ErrorKind::Unsupported, message))
    }
}

/// The length of a frame comes before its type (RFC 9113 §4.1).
const BEFORE_TYPE: usize = 3;
/// The type of SETTINGS (RFC 9113 §6.5).
const SETTINGS: u8 = 4;
/// The length of what a client begins with (RFC 9113 §3.4).
pub(crate) const CLIENT_PREFACE: usize = 24;

impl<IO: AsyncWrite + Unpin> Socket<IO> {
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.gathered {
            Some(gathered) => gathered.poll_flush(&mut self.io, cx),
            None => Pin::new(&mut self.io).poll_flush(cx),
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Paced<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut socket = lock(&self.0);
        if socket.read >= TURN {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut socket.io).poll_read(cx, buf);
        let arrived = buf.filled().get(before..).unwrap_or_default();
        socket.read += arrived.len();
        socket.received.fetch_add(arrived.len(), Ordering::Relaxed);
        socket.check(arrived)?;
        result.map_err(|error| socket.failure.keep(error))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Paced<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = &mut *lock(&self.0);
        match &mut socket.gathered {
            Some(gathered) => gathered.poll_write(&mut socket.io, cx, bufs),
            None => Pin::new(&mut socket.io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// In a turn there is nothing to do before its end.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = lock(&self.0);
        if socket.gathered.is_some() { Poll::Ready(Ok(())) } else { socket.poll_flush(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = lock(&self.0);
        ready!(socket.poll_flush(cx))?;
        Pin::new(&mut socket.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    // RFC: H2-3.4-01
    #[test]
    fn a_peer_that_does_not_begin_with_settings_is_refused_however_it_is_cut() {
        let mut cx = Context::from_waker(Waker::noop());
        for (preface, kind, is_right) in
            [(0, 4, true), (0, 6, false), (24, 4, true), (24, 0, false)]
        {
            let bytes: Vec<u8> = [vec![b'x'; preface], vec![0, 0, 0, kind, 0, 0]].concat();
            for size in [1, 3, 4, 64] {
                let mut paced = Paced::new(bytes.as_slice(), preface).0;
                let mut refused = false;
                for _ in 0..bytes.len() {
                    let mut space = vec![0; size];
                    let mut buf = ReadBuf::new(&mut space);
                    let polled = Pin::new(&mut paced).poll_read(&mut cx, &mut buf);
                    refused |= matches!(polled, Poll::Ready(Err(_)));
                }
                assert_eq!(refused, !is_right, "{preface} {kind} {size}");
            }
        }
    }

    // THREAT: frame-flood
    #[test]
    fn a_flood_is_interrupted_after_a_turn_and_goes_on_in_the_next() {
        let (mut paced, turn) = Paced::new(tokio::io::repeat(4), 0);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            turn.begin();
            let mut total = 0;
            loop {
                let mut space = [0; 8 * 1024];
                let mut buf = ReadBuf::new(&mut space);
                match Pin::new(&mut paced).poll_read(&mut cx, &mut buf) {
                    Poll::Ready(result) => assert!(result.is_ok()),
                    Poll::Pending => break,
                }
                total += buf.filled().len();
            }
            assert_eq!(total, TURN);
        }
    }

    #[test]
    fn what_is_written_in_a_turn_leaves_at_its_end_and_before_the_first_at_once() {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut paced, turn) = Paced::new(Vec::new(), 0);
        let written = |turn: &Turn<Vec<u8>>| lock(&turn.0).io.len();
        let mut write = |bytes: &[u8]| {
            let count = Pin::new(&mut paced).poll_write(&mut cx, bytes);
            assert!(matches!(count, Poll::Ready(Ok(count)) if count == bytes.len()));
            assert!(Pin::new(&mut paced).poll_flush(&mut cx).is_ready());
        };
        write(b"settings");
        assert_eq!(written(&turn), 8);
        turn.begin();
        write(b"one frame");
        write(b"and another");
        assert_eq!(written(&turn), 8);
        let (mut cx, taken) = (Context::from_waker(Waker::noop()), AtomicUsize::new(0));
        assert!(turn.poll_end(&mut cx, &taken).is_ready());
        assert_eq!((written(&turn), taken.load(Ordering::Relaxed)), (28, 20));
        turn.begin();
        assert!(Pin::new(&mut paced).poll_write(&mut cx, b"goodbye").is_ready());
        assert!(Pin::new(&mut paced).poll_shutdown(&mut cx).is_ready());
        assert_eq!(written(&turn), 35);
    }
}
