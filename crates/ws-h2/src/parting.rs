//! How the user of a stream leaves it.

use std::task::{Context, Poll, Waker};

use crate::hub::{StreamCore, StreamState};
use crate::leaving::Leaving;

/// How far the user of a stream has taken leave of it.
#[derive(Debug, Default)]
pub(crate) enum Parting {
    #[default]
    Not,
    /// Not, and a server has answered the request: the stream is open.
    Open,
    /// Not either, but nothing can be sent any more, and who wanted to waits until what came before that
    /// can be read: another task than the one that reads.
    Stopped(Option<Waker>),
    /// A client that is done gives the server the time to end the stream first.
    Waiting(Option<Waker>),
    /// The server did not.
    Expired,
    /// The user is gone after an orderly end; what is left to come is thrown away, and this is still
    /// to be sent.
    Ended(Box<Leaving>),
    /// The user is gone without an end: the stream is reset when what it has sent has left.
    Dropped(Box<Leaving>),
    /// The user is gone and has reset the stream.
    Aborted,
    /// The driver is gone: it takes nothing any more.
    Abandoned,
}

impl StreamState {
    /// All who are to be woken by the end.
    pub(crate) fn take_waiting(&mut self) -> [Option<Waker>; 2] {
        let writer = match &mut self.parting {
            Parting::Waiting(waker) | Parting::Stopped(waker) => waker.take(),
            _ => None,
        };
        [self.reader.take(), writer]
    }
}

impl StreamCore {
    /// Ready when nothing more is added to what can be read, for who cannot write.
    pub(crate) fn poll_end(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Poll::Ready(());
        }
        match &mut state.parting {
            Parting::Not | Parting::Open => {
                state.parting = Parting::Stopped(Some(cx.waker().clone()));
            }
            Parting::Stopped(waker) | Parting::Waiting(waker) => *waker = Some(cx.waker().clone()),
            _ => return Poll::Ready(()),
        }
        Poll::Pending
    }

    /// Ready with whether the peer has ended its direction; it has `linger` to do so.
    pub(crate) fn poll_peer_end(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Poll::Ready(true);
        }
        match &mut state.parting {
            Parting::Waiting(waker) => *waker = Some(cx.waker().clone()),
            Parting::Not | Parting::Stopped(_) => {
                state.parting = Parting::Waiting(Some(cx.waker().clone()));
                let key = state.key;
                drop(state);
                key.into_iter().for_each(|key| self.hub.push_ready(key));
            }
            _ => return Poll::Ready(false),
        }
        Poll::Pending
    }

    /// Leaves word for the driver. A `parting` that holds a handle of `h2` must not stay here when
    /// the driver is gone, so it is dropped then.
    pub(crate) fn part(&self, parting: Parting) {
        let mut state = self.lock();
        if matches!(state.parting, Parting::Abandoned) {
            drop(state);
            drop(parting);
            return;
        }
        state.parting = parting;
        let key = state.key;
        drop(state);
        if let Some(key) = key {
            self.hub.push_ready(key);
        }
    }
}
