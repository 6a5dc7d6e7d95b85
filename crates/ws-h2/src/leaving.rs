//! A stream that its user has ended.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::SendStream;

use crate::transport::FRAME;

/// An ended stream whose peer may still be sending. It lives in a box: an open stream has no room for it.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) send: SendStream<Bytes>,
    /// What the peer has given no credit for yet.
    pub(crate) rest: Bytes,
    /// What came since and was thrown away.
    pub(crate) discarded: usize,
    /// Whether it is not ended but only left, and to be reset.
    pub(crate) is_dropped: bool,
}

impl Leaving {
    /// One of which `rest` is still to be sent.
    pub(crate) fn new(send: SendStream<Bytes>, rest: Bytes) -> Box<Self> {
        Box::new(Self { send, rest, discarded: 0, is_dropped: false })
    }

    /// One that its user has dropped.
    pub(crate) fn dropped(send: SendStream<Bytes>) -> Box<Self> {
        Box::new(Self { send, rest: Bytes::new(), discarded: 0, is_dropped: true })
    }

    /// Sends what the peer gives credit for.
    pub(crate) fn send_rest(&mut self, cx: &mut Context<'_>) {
        while !self.rest.is_empty() {
            // What is reserved is kept from other streams, also while the socket takes nothing.
            self.send.reserve_capacity(self.rest.len().min(FRAME));
            let mut room = self.send.capacity();
            if room == 0 {
                // Edge-triggered: it is asked only when there is nothing.
                match self.send.poll_capacity(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Some(Ok(capacity))) => room = capacity,
                    // The peer has reset the stream, or is gone.
                    Poll::Ready(_) => return self.rest.clear(),
                }
            }
            let piece = self.rest.split_to(room.min(self.rest.len()));
            if self.send.send_data(piece, self.rest.is_empty()).is_err() {
                self.rest.clear();
            }
        }
    }
}
