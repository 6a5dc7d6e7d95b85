//! Where the task that drives a connection meets the tasks that use its streams.

use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use h2::{Reason, RecvStream};
use ws_io::SharedBudget;

use crate::adoption::Adoption;
use crate::error::{Error, Fate};
use crate::inbox::Inbox;
use crate::meter::Meter;
use crate::parting::Parting;
use crate::waiting::Waiters;

/// What the driver of one connection shares with everybody else.
///
/// Locks are taken in the order stream, `h2`, hub; `h2` wakes tasks while it holds its own lock.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<HubState>,
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) is_server: bool,
    /// How many bytes are read on a stream before credit for them is sent.
    pub(crate) credit_batch: usize,
    /// How many bytes the socket has taken so far, wrapping.
    pub(crate) taken: AtomicUsize,
    /// What unread bytes are charged on.
    pub(crate) budget: Option<SharedBudget>,
}

#[derive(Debug, Default)]
struct HubState {
    /// Streams to look at, by key.
    ready: Vec<usize>,
    news: News,
    /// The waiting driver; `None` while it runs.
    driver: Option<Waker>,
    /// Tasks that wait for a change of the connection as a whole.
    waiters: Waiters,
    status: Status,
}

/// What was asked of the driver since it last looked.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) adoptions: Vec<Adoption>,
    pub(crate) shutdown: Shutdown,
    /// To send a PING, of a client.
    pub(crate) pings: bool,
}

/// How a connection was told to end; the stronger wish counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shutdown {
    #[default]
    No,
    /// GOAWAY; streams that live run to their end.
    Graceful,
    /// Now.
    Abrupt,
}

/// The connection as its users see it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Status {
    /// The peer's first SETTINGS have come.
    pub(crate) is_settled: bool,
    /// Whether they allow WebSockets, as far as that was known when the connection began to close.
    pub(crate) allowed: Option<bool>,
    /// Streams that hold a [`Slot`].
    pub(crate) open: usize,
    /// A client opens nothing more: no slot is given any more.
    pub(crate) is_closing: bool,
    /// Why we end the connection, which takes a while.
    pub(crate) cause: Option<Fate>,
    /// Why the connection has ended, if it has.
    pub(crate) fate: Option<Fate>,
}

impl Hub {
    /// The hub of a connection whose streams have this window.
    pub(crate) fn new(
        is_server: bool,
        stream_window: u32,
        peer_addr: Option<SocketAddr>,
        budget: Option<SharedBudget>,
    ) -> Arc<Self> {
        let credit_batch = stream_window as usize / 4;
        let (state, taken) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { state, peer_addr, is_server, credit_batch, taken, budget })
    }

    /// Hands a stream to the driver.
    pub(crate) fn adopt(&self, adoption: Adoption) {
        let mut state = self.lock();
        if state.status.fate.is_some() {
            drop(state);
            adoption.finish();
            return;
        }
        state.news.adoptions.push(adoption);
        let driver = state.driver.take();
        drop(state);
        wake(driver);
    }

    /// Has the driver end the connection.
    pub(crate) fn shut_down(&self, how: Shutdown) {
        let mut state = self.lock();
        state.news.shutdown = state.news.shutdown.max(how);
        let driver = state.driver.take();
        drop(state);
        wake(driver);
    }

    /// Has the driver of a client send a PING.
    pub(crate) fn ping(&self) {
        let mut state = self.lock();
        state.news.pings = true;
        let driver = state.driver.take();
        drop(state);
        wake(driver);
    }

    /// Has the driver look at a stream.
    pub(crate) fn push_ready(&self, key: usize) {
        let mut state = self.lock();
        state.ready.push(key);
        let driver = state.driver.take();
        drop(state);
        wake(driver);
    }

    /// The driver runs: what was asked of it.
    pub(crate) fn news(&self) -> News {
        let mut state = self.lock();
        state.driver = None;
        mem::take(&mut state.news)
    }

    /// The driver is gone: gives back what it was not told yet.
    pub(crate) fn close(&self) -> Vec<Adoption> {
        let mut adoptions = Vec::new();
        self.announce(|status| {
            status.fate.get_or_insert(Fate::Closed);
        });
        mem::swap(&mut adoptions, &mut self.lock().news.adoptions);
        adoptions
    }

    /// Swaps an empty list for the list of streams to look at.
    pub(crate) fn swap_ready(&self, keys: &mut Vec<usize>) {
        mem::swap(&mut self.lock().ready, keys);
    }

    /// The driver wants to wait; `false` if there is something to do for it first.
    pub(crate) fn settle(&self, cx: &Context<'_>) -> bool {
        let mut state = self.lock();
        let News { adoptions, shutdown, pings } = &state.news;
        let has_news = !adoptions.is_empty() || *shutdown != Shutdown::No || *pings;
        if has_news || !state.ready.is_empty() {
            return false;
        }
        state.driver = Some(cx.waker().clone());
        true
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status
    }

    /// Why the connection has ended or is about to. To who sends on a stream, `h2` tells that as a reset by
    /// the peer.
    pub(crate) fn cause(&self) -> Option<Error> {
        let Status { fate, cause, .. } = self.status();
        fate.or(cause).map(Error::from)
    }

    /// The connection ends for what `h2` has found.
    pub(crate) fn note_broken(&self, code: Reason) {
        let cause = &mut self.lock().status.cause;
        cause.get_or_insert(Fate::ProtocolError(code.into()));
    }

    /// Changes what users of the connection may wait for, and wakes those who do.
    pub(crate) fn announce(&self, change: impl FnOnce(&mut Status)) {
        let mut state = self.lock();
        change(&mut state.status);
        let waiters = state.waiters.take();
        drop(state);
        waiters.for_each(Waker::wake);
    }

    /// Wakes those who wait for a change, if there are any.
    pub(crate) fn nudge(&self) {
        if self.lock().waiters.len() > 0 {
            self.announce(|_| ());
        }
    }

    /// Lends the status, and those who wait for a change of it, for the length of a call.
    pub(crate) fn with_waiters<T>(&self, act: impl FnOnce(&mut Status, &mut Waiters) -> T) -> T {
        let HubState { status, waiters, .. } = &mut *self.lock();
        act(status, waiters)
    }

    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        self.state.try_lock().is_err()
    }

    fn lock(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one stream open.
#[derive(Debug)]
pub(crate) struct Slot(pub(crate) Arc<Hub>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.announce(|status| status.open = status.open.saturating_sub(1));
    }
}

/// What the driver and the user of one stream share.
#[derive(Debug)]
pub(crate) struct StreamCore {
    pub(crate) hub: Arc<Hub>,
    state: Mutex<StreamState>,
}

#[derive(Debug, Default)]
pub(crate) struct StreamState {
    pub(crate) inbox: Inbox,
    /// Why nothing will be added to the inbox any more.
    pub(crate) end: Option<End>,
    pub(crate) reader: Option<Waker>,
    pub(crate) parting: Parting,
    /// `None` where no budget is shared.
    pub(crate) meter: Option<Box<Meter>>,
    /// The driver's name for the stream, once it has one.
    pub(crate) key: Option<usize>,
}

impl StreamState {
    /// Has this task woken when something has come, or the end.
    pub(crate) fn wake_at_news(&mut self, cx: &Context<'_>) {
        match &mut self.reader {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

/// How the receiving side of a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// `END_STREAM`.
    Fin,
    /// The peer's `RST_STREAM`, which says with `NO_ERROR` that it is content (RFC 9113 §8.1).
    Reset(Reason),
    /// The peer broke the rules of the stream.
    Malformed(Reason),
    /// What lay unread was too much, and is thrown away.
    Evicted,
    /// The peer broke the rules of the connection, which is gone.
    Broken(Reason),
    /// The connection is gone.
    Gone,
}

impl End {
    /// What it means that no more DATA comes.
    pub(crate) fn of_data(is_tunnel: bool, recv: &RecvStream) -> Self {
        // Otherwise there are trailers, and only DATA may follow a CONNECT (RFC 9113 §8.5).
        if is_tunnel && !recv.is_end_stream() {
            Self::Malformed(Reason::PROTOCOL_ERROR)
        } else {
            Self::Fin
        }
    }

    pub(crate) fn of_error(error: &h2::Error) -> Self {
        match error.reason() {
            Some(code) if error.is_reset() && error.is_remote() => Self::Reset(code),
            Some(code) if error.is_reset() => Self::Malformed(code),
            Some(Reason::NO_ERROR) if error.is_go_away() => Self::Gone,
            // Ours, for what `h2` or the driver has found.
            Some(code) if error.is_go_away() && !error.is_remote() => Self::Broken(code),
            _ => Self::Gone,
        }
    }

    pub(crate) fn error(self, hub: &Hub) -> Option<Error> {
        match self {
            Self::Fin | Self::Reset(Reason::NO_ERROR) => None,
            Self::Reset(code) => Some(Error::from_reset(code)),
            Self::Malformed(code) => Some(Error::MalformedMessage { code: code.into() }),
            Self::Evicted => {
                let max = hub.budget.as_ref().map_or(0, SharedBudget::max);
                Some(Error::BudgetExceeded { max })
            }
            Self::Broken(code) => Some(Error::ProtocolError { code: code.into() }),
            Self::Gone => Some(Error::Closed),
        }
    }
}

impl StreamCore {
    pub(crate) fn new(hub: &Arc<Hub>) -> Arc<Self> {
        let meter = hub.budget.as_ref().map(Meter::new);
        let state = StreamState { meter, ..StreamState::default() };
        Arc::new(Self { hub: Arc::clone(hub), state: Mutex::new(state) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The driver takes the stream under this name.
    pub(crate) fn adopt(&self, key: usize) {
        self.lock().key = Some(key);
    }

    /// The driver lets go of the stream: what the user holds of it finds its end.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        let waiting = state.take_waiting();
        let parting = mem::replace(&mut state.parting, Parting::Abandoned);
        state.end.get_or_insert(End::Gone);
        let responder = state.meter.as_mut().and_then(|meter| meter.responder.take());
        drop(state);
        // `h2` keeps a stream as long as there is a handle of it.
        drop((parting, responder));
        waiting.into_iter().for_each(wake);
    }
}

/// Wakes the driver of a connection for one of its streams.
#[derive(Debug)]
pub(crate) struct StreamWaker {
    pub(crate) hub: Arc<Hub>,
    pub(crate) key: usize,
    pub(crate) is_queued: AtomicBool,
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            self.hub.push_ready(self.key);
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_is_told_something_while_it_runs_does_not_wait() {
        let hub = Hub::new(true, 0, None, None);
        let cx = Context::from_waker(Waker::noop());
        let _news = hub.news();
        hub.shut_down(Shutdown::Graceful);
        assert!(!hub.settle(&cx));
        let _news = hub.news();
        hub.push_ready(7);
        assert!(!hub.settle(&cx));
        hub.swap_ready(&mut Vec::new());
        assert!(hub.settle(&cx));
    }
}
