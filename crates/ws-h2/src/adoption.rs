//! A stream on its way to the task that drives its connection.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use h2::RecvStream;

use crate::hub::{End, Slot, StreamCore};

/// A stream that begins to be driven.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) core: Arc<StreamCore>,
    pub(crate) recv: RecvStream,
    pub(crate) slot: Option<Slot>,
    /// Whether DATA is all that may come (RFC 9113 §8.5).
    pub(crate) is_tunnel: bool,
}

impl Adoption {
    /// Gives a stream that nobody drives any more what has come for it.
    pub(crate) fn finish(mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut state = self.core.lock();
        let end = loop {
            match self.recv.poll_data(&mut cx) {
                Poll::Ready(Some(Ok(frame))) => state.inbox.push(frame),
                Poll::Ready(Some(Err(error))) => break End::of_error(&error),
                Poll::Ready(None) => break End::of_data(self.is_tunnel, &self.recv),
                Poll::Pending => break End::Gone,
            }
        };
        state.end.get_or_insert(end);
        drop(state);
        self.core.abandon();
    }
}
