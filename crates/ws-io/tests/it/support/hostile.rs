//! A transport that does everything a transport may do, at the worst moment.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use ws_io::{Duplex, Transport};

/// What goes wrong; calls of all four kinds are counted together, from 0.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// At most this many bytes per read.
    pub(crate) read: usize,
    /// At most this many bytes per write.
    pub(crate) write: usize,
    /// One call in `n`, in no regular order, is pending and wakes at once.
    pub(crate) pending_every: Option<usize>,
    /// This call and all later ones fail.
    pub(crate) fail_at: Option<usize>,
    /// From this call on, reading finds the end.
    pub(crate) eof_at: Option<usize>,
    /// This call and all later ones are pending for ever.
    pub(crate) stuck_at: Option<usize>,
    /// This call moves at most one byte.
    pub(crate) one_byte_at: Option<usize>,
    /// Writing is pending for ever.
    pub(crate) stuck: bool,
    /// Flushing is pending for ever: the transport keeps what it takes.
    pub(crate) stuck_flush: bool,
    /// It is a stream of something that others share.
    pub(crate) is_shared: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            read: usize::MAX,
            write: usize::MAX,
            pending_every: None,
            fail_at: None,
            eof_at: None,
            stuck_at: None,
            one_byte_at: None,
            stuck: false,
            stuck_flush: false,
            is_shared: false,
        }
    }
}

/// What befalls one call, and in three cases all that come after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// They fail.
    Error,
    /// Reading finds the end.
    End,
    /// They are pending for ever.
    Pending,
    /// It moves a single byte.
    OneByte,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Error, Self::End, Self::Pending, Self::OneByte];
}

impl Plan {
    /// This fault, at the call with this number.
    pub(crate) fn at(fault: Fault, number: usize) -> Self {
        let plan = Self::default();
        match fault {
            Fault::Error => Self { fail_at: Some(number), ..plan },
            Fault::End => Self { eof_at: Some(number), ..plan },
            Fault::Pending => Self { stuck_at: Some(number), ..plan },
            Fault::OneByte => Self { one_byte_at: Some(number), ..plan },
        }
    }
}

#[derive(Debug)]
pub(crate) struct Hostile {
    inner: Duplex,
    plan: Plan,
    counts: Arc<Mutex<Counts>>,
    has_failed_to_write: bool,
    /// It has failed, or come to the end.
    has_no_more_to_read: bool,
}

/// What was asked of the transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) calls: usize,
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    pub(crate) shutdowns: usize,
    pub(crate) releases: usize,
    /// Bytes.
    pub(crate) written: usize,
}

impl Hostile {
    pub(crate) fn new(inner: Duplex, plan: Plan) -> Self {
        let counts = Arc::default();
        Self { inner, plan, counts, has_failed_to_write: false, has_no_more_to_read: false }
    }

    pub(crate) fn counts(&self) -> Arc<Mutex<Counts>> {
        Arc::clone(&self.counts)
    }

    /// How many bytes the call with this number may move.
    fn most(&self, number: usize, usual: usize) -> usize {
        if self.plan.one_byte_at == Some(number) { 1 } else { usual }
    }

    /// Counts a call: `Ready(Ok)` when it may go through, with its number.
    fn call(&self, cx: &Context<'_>, count: impl FnOnce(&mut Counts)) -> Poll<io::Result<usize>> {
        let mut counts = self.counts.lock().unwrap();
        let number = counts.calls;
        counts.calls += 1;
        if self.plan.fail_at.is_some_and(|at| number >= at) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.plan.stuck_at.is_some_and(|at| number >= at) {
            return Poll::Pending;
        }
        if self.plan.pending_every.is_some_and(|every| scatter(number).is_multiple_of(every)) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        count(&mut counts);
        Poll::Ready(Ok(number))
    }
}

impl Transport for Hostile {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        assert!(!self.has_no_more_to_read, "and not to read again");
        let called = self.call(cx, |counts| counts.reads += 1);
        self.has_no_more_to_read = matches!(called, Poll::Ready(Err(_)));
        let number = std::task::ready!(called)?;
        if self.plan.eof_at.is_some_and(|at| number >= at) {
            self.has_no_more_to_read = true;
            return Poll::Ready(Ok(0));
        }
        self.inner.poll_read(cx, buf, max.min(self.most(number, self.plan.read)))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &mut dyn Buf) -> Poll<io::Result<usize>> {
        assert!(buf.has_remaining(), "the driver promised not to write nothing");
        assert!(!self.has_failed_to_write, "the driver promised not to write again");
        let called = self.call(cx, |counts| counts.writes += 1);
        self.has_failed_to_write = matches!(called, Poll::Ready(Err(_)));
        let number = std::task::ready!(called)?;
        if self.plan.stuck {
            return Poll::Pending;
        }
        if self.plan.write == 0 {
            return Poll::Ready(Ok(0));
        }
        let most = self.most(number, self.plan.write);
        let written = if most >= buf.remaining() {
            std::task::ready!(self.inner.poll_write(cx, buf))?
        } else {
            let mut part = &buf.chunk()[..most.min(buf.chunk().len())];
            let written = std::task::ready!(self.inner.poll_write(cx, &mut part))?;
            buf.advance(written);
            written
        };
        self.counts.lock().unwrap().written += written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.call(cx, |_| ()))?;
        if self.plan.stuck_flush {
            return Poll::Pending;
        }
        self.inner.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.call(cx, |counts| counts.shutdowns += 1))?;
        self.inner.poll_shutdown(cx)
    }

    fn release(&mut self) -> bool {
        self.counts.lock().unwrap().releases += 1;
        self.plan.is_shared
    }

    fn name(&self) -> &'static str {
        "hostile"
    }
}

/// A number that tells nothing of its neighbours, so that no loop of a driver keeps step with it.
fn scatter(number: usize) -> usize {
    (number.wrapping_mul(0x9e37_79b9) >> 7) ^ (number.wrapping_mul(0x85eb_ca6b) >> 13)
}
