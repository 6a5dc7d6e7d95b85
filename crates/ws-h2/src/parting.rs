//! How the user of a stream leaves it.

use std::mem;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::server::SendResponse;

use crate::hub::{StreamCore, StreamState};
use crate::leaving::Leaving;

/// How far the user of a stream has taken leave of it.
#[derive(Debug, Default)]
pub(crate) enum Parting {
    #[default]
    Not,
    /// Not, and a server is yet to answer the request.
    Asked(Box<SendResponse<Bytes>>),
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
    /// The user is gone, and the stream is reset: by its peer, which did not wait for the answer, or by us.
    Aborted { is_peers: bool },
    /// The driver is gone: it takes nothing any more.
    Abandoned,
}

impl StreamState {
    /// Whether the user has said nothing of leaving yet.
    pub(crate) fn is_staying(&self) -> bool {
        use Parting::{Aborted, Dropped, Ended, Waiting};
        !matches!(self.parting, Waiting(_) | Ended(_) | Dropped(_) | Aborted { .. })
    }

    /// Whether a server has answered the request.
    pub(crate) fn is_answered(&self) -> bool {
        !matches!(self.parting, Parting::Not | Parting::Asked(_) | Parting::Aborted { .. })
    }

    /// Whether the peer has reset a request that had ended, before it was answered. Who receives is not
    /// told of it by `h2`, only who answers.
    pub(crate) fn is_late_reset(&mut self, waker: &Waker) -> bool {
        match &mut self.parting {
            Parting::Asked(responder) => {
                let reset = responder.poll_reset(&mut Context::from_waker(waker));
                matches!(reset, Poll::Ready(Ok(_)))
            }
            Parting::Aborted { is_peers } => *is_peers,
            _ => false,
        }
    }

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
    /// Keeps the way to answer a request, on which the driver finds that nobody waits any more.
    pub(crate) fn ask(&self, responder: SendResponse<Bytes>) {
        self.lock().parting = Parting::Asked(Box::new(responder));
    }

    /// The way to answer the request; `None` if the driver is gone.
    pub(crate) fn take_responder(&self) -> Option<SendResponse<Bytes>> {
        let mut state = self.lock();
        match mem::take(&mut state.parting) {
            Parting::Asked(responder) => Some(*responder),
            parting => {
                state.parting = parting;
                None
            }
        }
    }

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
