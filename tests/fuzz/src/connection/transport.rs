//! A transport in memory that does what a list of bytes says, one byte a call, and behaves once the
//! list is at its end.

use std::io;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use ws_io::{Duplex, Transport};

pub(crate) struct Fickle {
    inner: Duplex,
    plan: std::vec::IntoIter<u8>,
    failed: bool,
    ended: bool,
    stuck: bool,
}

enum Turn {
    /// As the transport below, but at most so many bytes.
    Most(usize),
    Pending,
    Stuck,
    End,
    Fail,
}

impl Fickle {
    pub(crate) fn new(inner: Duplex, plan: Vec<u8>) -> Self {
        Self { inner, plan: plan.into_iter(), failed: false, ended: false, stuck: false }
    }

    fn turn(&mut self) -> Turn {
        if self.failed {
            return Turn::Fail;
        }
        let Some(byte) = self.plan.next() else { return Turn::Most(usize::MAX) };
        match byte {
            0..0x80 => Turn::Most(usize::from(byte) + 1),
            0x80..0xf0 => Turn::Pending,
            0xf0..0xf8 => Turn::Most(usize::MAX),
            0xf8 | 0xf9 => {
                self.failed = true;
                Turn::Fail
            }
            0xfa | 0xfb => {
                self.ended = true;
                Turn::End
            }
            0xfc => {
                self.stuck = true;
                Turn::Stuck
            }
            _ => Turn::Pending,
        }
    }

    /// How much may move now.
    fn allowed(&mut self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        match self.turn() {
            Turn::Most(most) => Poll::Ready(Ok(most)),
            Turn::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Turn::Stuck => Poll::Pending,
            Turn::End => Poll::Ready(Ok(usize::MAX)),
            Turn::Fail => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl Transport for Fickle {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let most = std::task::ready!(self.allowed(cx))?;
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        self.inner.poll_read(cx, buf, max.min(most))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        assert!(buf.has_remaining(), "the driver promised not to write nothing");
        let most = std::task::ready!(self.allowed(cx))?;
        if self.stuck {
            return Poll::Pending;
        }
        if most >= buf.remaining() {
            return self.inner.poll_write(cx, buf);
        }
        let mut part = &buf.chunk()[..most.min(buf.chunk().len())];
        let written = std::task::ready!(self.inner.poll_write(cx, &mut part))?;
        buf.advance(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.allowed(cx))?;
        self.inner.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.allowed(cx))?;
        self.inner.poll_shutdown(cx)
    }

    fn name(&self) -> &'static str {
        "fickle"
    }
}
