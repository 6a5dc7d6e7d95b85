//! What both ends of a handshake need of a transport: reading and writing under one deadline.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use ws_session::{Account, BudgetExceeded, Charge, Session, SharedBudget, TransportError};

use crate::alarm::Alarm;
use crate::connection::Connection;
use crate::read_budget;
use crate::{Error, Runtime, Transport, UpgradeInfo, WebSocket};

pub(crate) struct Wire<T, R: Runtime> {
    pub(crate) transport: T,
    pub(crate) buffer: BytesMut,
    runtime: R,
    alarm: Alarm<R>,
    /// When the handshake has to be over.
    deadline: Instant,
    /// What is charged for what has been read.
    charge: Option<Charge>,
}

impl<T: Transport, R: Runtime> Wire<T, R> {
    pub(crate) fn new(transport: T, runtime: R, timeout: Duration) -> Self {
        let deadline = after(runtime.now(), timeout);
        let (buffer, alarm) = (BytesMut::new(), Alarm::default());
        Self { transport, buffer, runtime, alarm, deadline, charge: None }
    }

    /// Charges what is read on this budget.
    pub(crate) fn charging(mut self, budget: Option<&SharedBudget>) -> Self {
        self.charge = budget.map(SharedBudget::open);
        self
    }

    /// What the budget allows no more.
    pub(crate) fn exceeded(&self) -> Error {
        let mut account = Account::default();
        account.received = self.buffer.capacity();
        let max = self.charge.as_ref().map_or(0, |charge| charge.budget().max());
        Error::BudgetExceeded(Box::new(BudgetExceeded::shared(account, max)))
    }

    /// Reads into the buffer, waiting no longer than `patience`; false at the end of the input.
    pub(crate) async fn read(&mut self, patience: Duration) -> Result<bool, Error> {
        let until = self.deadline.min(after(self.runtime.now(), patience));
        let max = read_budget::prepare(&mut self.buffer, HEAD_READ);
        let read = poll_fn(|cx| {
            if let Poll::Ready(read) = self.transport.poll_read(cx, &mut self.buffer, max) {
                return Poll::Ready(Ok(read));
            }
            self.poll_timeout(cx, until)
        });
        let read = read.await?.map_err(|error| self.failed(error))?;
        if self.charge.as_mut().is_some_and(|charge| !charge.set(self.buffer.capacity())) {
            return Err(self.exceeded());
        }
        Ok(read > 0)
    }

    /// Writes and flushes all of `bytes`.
    pub(crate) async fn write(&mut self, mut bytes: impl Buf) -> Result<(), Error> {
        let written = poll_fn(|cx| match self.poll_write(cx, &mut bytes) {
            Poll::Ready(result) => Poll::Ready(Ok(result)),
            Poll::Pending => self.poll_timeout(cx, self.deadline),
        });
        written.await?.map_err(|error| self.failed(error))
    }

    /// Ends our direction and reads what the peer still sends, so that unread input does not
    /// destroy our last words on their way; for a second at most.
    pub(crate) async fn hang_up(mut self) {
        self.deadline = after(self.runtime.now(), LINGER);
        let shut_down = poll_fn(|cx| match self.transport.poll_shutdown(cx) {
            Poll::Ready(result) => Poll::Ready(Ok(result)),
            Poll::Pending => self.poll_timeout(cx, self.deadline),
        });
        if !matches!(shut_down.await, Ok(Ok(()))) {
            return;
        }
        let mut drained = 0;
        while drained < MAX_DRAIN && matches!(self.read(LINGER).await, Ok(true)) {
            drained += self.buffer.len();
            self.buffer.clear();
        }
    }

    /// The deadline for the last words after a handshake that took too long.
    pub(crate) fn extend(&mut self) {
        self.deadline = after(self.runtime.now(), LINGER);
    }

    /// The bytes behind the handshake, which belong to the session.
    pub(crate) fn take_leftover(&mut self) -> BytesMut {
        let mut buffer = std::mem::take(&mut self.buffer);
        read_budget::release(&mut buffer);
        buffer
    }

    pub(crate) fn into_parts(self) -> (T, BytesMut) {
        (self.transport, self.buffer)
    }

    pub(crate) fn open(self, session: Session, info: UpgradeInfo) -> WebSocket<T, R> {
        let connection = Connection::new(self.transport, self.runtime, session);
        WebSocket::new(connection.with_alarm(self.alarm), info)
    }

    pub(crate) fn failed(&self, error: io::Error) -> Error {
        Error::Transport(self.transport.classify(error))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &mut dyn Buf) -> Poll<io::Result<()>> {
        while bytes.has_remaining() {
            if ready!(self.transport.poll_write(cx, bytes))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        self.transport.poll_flush(cx)
    }

    fn poll_timeout<P>(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<Result<P, Error>> {
        loop {
            let now = self.runtime.now();
            if now >= until {
                return Poll::Ready(Err(Error::Transport(TransportError::Timeout)));
            }
            ready!(self.alarm.poll(cx, &self.runtime, now, until, false));
        }
    }
}

/// `now` plus `duration`, which may be as long as a caller likes.
fn after(now: Instant, duration: Duration) -> Instant {
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()))
}

/// What a read of a handshake offers: nearly every request and response fits.
const HEAD_READ: usize = 4 * 1024;
/// How long, and for how many bytes, a refused peer is listened to.
const LINGER: Duration = Duration::from_secs(1);
const MAX_DRAIN: usize = 256 * 1024;
