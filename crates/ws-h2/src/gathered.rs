//! What goes out in one turn, in few writes.
//!
//! `h2` hands each DATA frame of more than 256 bytes to its socket by itself. Where many streams answer
//! in one turn, that is a system call for each frame, and a peer that is woken each time. A copy of a
//! frame costs less than either.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// The most that is gathered before it is written.
const MOST: usize = 64 * 1024;

thread_local! {
    /// The memory of the connection that gathered last: between turns none of them needs any.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[derive(Debug, Default)]
pub(crate) struct Gathered {
    buffer: Vec<u8>,
    /// How much of it was written.
    written: usize,
    /// How much of what was gathered the socket has taken so far.
    total: usize,
}

impl Gathered {
    /// How many bytes the socket has taken so far, wrapping.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Whether it takes nothing before the socket does.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= MOST
    }

    /// Takes as much of `pieces` as there is room for, and writes when there is none.
    pub(crate) fn poll_write(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_full() {
            ready!(self.poll_empty(io, cx))?;
        }
        if self.buffer.capacity() == 0 {
            self.buffer = SPARE.take();
            self.buffer.reserve_exact(MOST);
        }
        let before = self.buffer.len();
        for piece in pieces {
            let room = MOST - self.buffer.len();
            self.buffer.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
        Poll::Ready(Ok(self.buffer.len() - before))
    }

    /// Writes all of it and flushes the socket.
    pub(crate) fn poll_flush(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(io, cx))?;
        Pin::new(io).poll_flush(cx)
    }

    fn poll_empty(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.buffer.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut *io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    self.written += count;
                    self.total = self.total.wrapping_add(count);
                }
            }
        }
        if self.buffer.capacity() > 0 {
            self.written = 0;
            self.buffer.clear();
            SPARE.set(std::mem::take(&mut self.buffer));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// A socket that takes so many bytes a call, and none every third time.
    struct Slow {
        most: usize,
        calls: usize,
        taken: Vec<u8>,
    }

    impl Slow {
        fn new(most: usize) -> Self {
            Self { most, calls: 0, taken: Vec::new() }
        }
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.calls += 1;
            if self.calls.is_multiple_of(3) {
                return Poll::Pending;
            }
            let count = buf.len().min(self.most);
            self.taken.extend_from_slice(&buf[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn frames_leave_together_and_in_order_however_the_socket_takes_them() {
        let mut cx = Context::from_waker(Waker::noop());
        for most in [1000, 20_000, usize::MAX] {
            let (mut io, mut gathered) = (Slow::new(most), Gathered::default());
            let mut expected = Vec::new();
            for number in 0..60_u8 {
                let (head, body) = ([number; 9], vec![number; 3000]);
                let mut left = [head.as_slice(), &body].concat();
                expected.extend_from_slice(&left);
                while !left.is_empty() {
                    let pieces = left.split_at(left.len().min(9));
                    let pieces = [IoSlice::new(pieces.0), IoSlice::new(pieces.1)];
                    if let Poll::Ready(count) = gathered.poll_write(&mut io, &mut cx, &pieces) {
                        left.drain(..count.expect("the socket is well"));
                    }
                    assert!(gathered.buffer.len() <= MOST);
                }
            }
            while gathered.poll_flush(&mut io, &mut cx).is_pending() {}
            assert_eq!(io.taken, expected);
            assert!(io.calls <= expected.len().div_ceil(most.min(MOST)) * 2 + 4, "{}", io.calls);
            assert_eq!(gathered.buffer.capacity(), 0, "memory is for the time of a turn");
        }
    }

    #[test]
    fn a_turn_that_wrote_nothing_leaves_the_memory_for_the_next() {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut io, mut gathered) = (Slow::new(usize::MAX), Gathered::default());
        let mut addresses = Vec::new();
        for _ in 0..2 {
            assert!(gathered.poll_write(&mut io, &mut cx, &[IoSlice::new(b"frame")]).is_ready());
            addresses.push(gathered.buffer.as_ptr());
            while gathered.poll_flush(&mut io, &mut cx).is_pending() {}
            assert!(Gathered::default().poll_flush(&mut io, &mut cx).is_ready());
            let spare = SPARE.take();
            assert!(spare.capacity() >= MOST);
            SPARE.set(spare);
        }
        assert_eq!(addresses[0], addresses[1]);
    }

    // THREAT: write-stall
    #[test]
    fn a_socket_that_takes_nothing_is_felt_after_64_kib() {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut io, mut gathered) = (Slow::new(0), Gathered::default());
        io.calls = 2;
        let frame = vec![0; 30_000];
        let mut total = 0;
        while let Poll::Ready(count) =
            gathered.poll_write(&mut io, &mut cx, &[IoSlice::new(&frame)])
        {
            total += count.expect("nothing was asked of the socket");
        }
        assert_eq!(total, MOST);
        let ended = gathered.poll_flush(&mut io, &mut cx);
        assert!(
            matches!(ended, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WriteZero)
        );
    }
}
