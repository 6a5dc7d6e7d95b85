//! Requests between the driver, which finds them, and the server, which answers them.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::request::{Exchange, Request};

#[derive(Debug)]
pub(super) struct Backlog {
    state: Mutex<State>,
    max: usize,
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<Request>,
    acceptor: Option<Waker>,
    /// Nobody will answer any more.
    is_deserted: bool,
    /// No more requests will come.
    has_ended: bool,
}

impl Backlog {
    pub(super) fn new(max: usize) -> Self {
        Self { state: Mutex::default(), max }
    }

    /// Rejects what nobody will answer, and what comes while as many wait as there may be streams: a
    /// request that is left in `h2` would have its frames there as well. False if one had to be reset for
    /// want of room, which takes a client that resets requests.
    pub(super) fn push(&self, exchange: Box<Exchange>, kind: fn(Box<Exchange>) -> Request) -> bool {
        let mut state = self.lock();
        let is_full = state.requests.len() >= self.max;
        if state.is_deserted || is_full {
            drop(state);
            return !(exchange.reject() && is_full);
        }
        state.requests.push_back(kind(exchange));
        let acceptor = state.acceptor.take();
        drop(state);
        acceptor.into_iter().for_each(Waker::wake);
        true
    }

    /// The connection is over.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.has_ended = true;
        let acceptor = state.acceptor.take();
        drop(state);
        acceptor.into_iter().for_each(Waker::wake);
    }

    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Request>> {
        let mut state = self.lock();
        if let Some(request) = state.requests.pop_front() {
            return Poll::Ready(Some(request));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        state.acceptor = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Nobody will answer any more.
    pub(super) fn desert(&self) {
        let mut state = self.lock();
        state.is_deserted = true;
        let requests = mem::take(&mut state.requests);
        drop(state);
        requests.into_iter().for_each(Request::reject);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
