//! One stream of a connection, seen from its driver.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use h2::RecvStream;

use crate::hub::{End, Slot, StreamCore, StreamWaker};
use crate::leaving::Leaving;
use crate::parting::Parting;

/// It is the driver's alone; what its user sees of it is the [`StreamCore`].
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) core: Arc<StreamCore>,
    pub(crate) recv: RecvStream,
    pub(crate) waker: Waker,
    pub(crate) mark: Arc<StreamWaker>,
    pub(crate) opened: Instant,
    /// Tells what is noted of the stream from what was before, also of others that had its key.
    pub(crate) serial: u64,
    pub(crate) is_tunnel: bool,
    pub(crate) has_deadline: bool,
    pub(crate) has_answer_deadline: bool,
    /// Whether its peer is known to have reset it.
    pub(crate) is_gone: bool,
    /// Whether what its reset was charged is given back when its user lets go of it.
    pub(crate) is_owing: bool,
    pub(crate) leaving: Option<Box<Leaving>>,
    /// Given back when the stream is closed on both sides, by whomever; at the latest when it is over.
    pub(crate) slot: Option<Slot>,
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Live,
    /// The peer has not taken all that our side has to say.
    Answering,
    /// Our side is done and the peer's end is awaited.
    Parting,
    /// It is, but the peer sends on and on.
    Flooded,
    /// The user has just gone; the stream is reset when what was sent on it has left.
    Dropped,
    /// Nobody has anything to say any more.
    Over,
}

/// What came of looking for frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The peer has just reset the stream.
    pub(crate) is_reset: bool,
    /// It had been answered by then.
    pub(crate) was_answered: bool,
    /// The budget has no room for what lies unread.
    pub(crate) is_crowding: bool,
    /// Its user is there. Who leaves later has it looked at again.
    pub(crate) is_live: bool,
}

impl Entry {
    /// Moves what has come into the inbox.
    pub(crate) fn take_frames(&mut self) -> Taken {
        let mut state = self.core.lock();
        let is_evicted = state.end == Some(End::Evicted);
        if state.end.is_some() && !is_evicted {
            let is_late = !self.is_gone && state.is_late_reset(&self.waker);
            drop(state);
            let broken = if is_late { end_by_us(&mut self.recv) } else { None };
            self.note_broken(broken);
            if let Some(End::Malformed(_)) = broken {
                // Its end was one until now.
                self.core.lock().end = broken;
            }
            let is_reset = is_late && broken.is_none();
            self.is_gone |= is_reset;
            return Taken { is_reset, ..Taken::default() };
        }
        let mut has_news = false;
        let mut released = 0;
        let mut is_closed = false;
        let end = loop {
            let mut cx = Context::from_waker(&self.waker);
            match self.recv.poll_data(&mut cx) {
                Poll::Pending => break None,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(leaving) = &mut self.leaving {
                        leaving.discarded += frame.len();
                        released += frame.len();
                    } else if !is_evicted {
                        has_news |= !frame.is_empty();
                        state.inbox.push(frame);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    is_closed = true;
                    break Some(End::of_error(&error));
                }
                // Our side of it is still open, also after trailers.
                Poll::Ready(None) => break Some(End::of_data(self.is_tunnel, &self.recv)),
            }
        };
        if is_evicted {
            // What came is thrown away. No credit is given for it, so it comes to an end.
            drop(state);
            self.give_credit(released);
            return Taken::default();
        }
        state.end = end;
        let has_room = state.charge();
        let was_answered = state.is_answered();
        self.is_gone = match end {
            // A peer may answer our end in whatever way it likes.
            Some(End::Reset(_)) => self.leaving.is_none(),
            None | Some(End::Broken(_) | End::Gone) => false,
            Some(_) => state.is_late_reset(&self.waker),
        };
        let wakers = match end {
            Some(_) => state.take_waiting(),
            None if has_news => [state.reader.take(), None],
            None => [None, None],
        };
        let is_live = state.is_staying() && self.leaving.is_none();
        drop(state);
        self.note_broken(end);
        wakers.into_iter().flatten().for_each(Waker::wake);
        self.give_credit(released);
        if is_closed {
            self.slot = None;
        }
        Taken { is_reset: self.is_gone, was_answered, is_crowding: !has_room, is_live }
    }

    /// Whether there is memory for what lies unread.
    pub(crate) fn is_within_budget(&self) -> bool {
        self.core.lock().charge()
    }

    /// Resets a stream for which there is none; whether it was not reset before.
    pub(crate) fn evict(&mut self) -> bool {
        let credit = self.recv.flow_control();
        // It fails on a stream that was reset, which needs no credit.
        let is_new = self.core.evict(|unread| drop(credit.release_capacity(unread)));
        is_new && !self.is_gone
    }

    /// Takes note of what the user of the stream has told us.
    pub(crate) fn next_stage(&mut self) -> Stage {
        let mut state = self.core.lock();
        let end = state.end;
        let has_ended = end.is_some();
        match &state.parting {
            Parting::Waiting(_) => return Stage::Parting,
            Parting::Aborted { .. } => return Stage::Over,
            Parting::Ended(_) | Parting::Dropped(_) => {
                let parting = mem::replace(&mut state.parting, Parting::Expired);
                let unread = state.inbox.len();
                state.inbox.clear();
                // The user may keep what is left of the stream; its account and handle end here.
                let meter = state.meter.take();
                drop(state);
                drop(meter);
                self.give_credit(unread);
                if let Parting::Ended(leaving) | Parting::Dropped(leaving) = parting {
                    let is_dropped = leaving.is_dropped;
                    self.leaving = Some(leaving);
                    if is_dropped {
                        return match end {
                            // Nothing of it is left in `h2`.
                            Some(End::Reset(_) | End::Evicted | End::Broken(_) | End::Gone) => {
                                Stage::Over
                            }
                            _ => Stage::Dropped,
                        };
                    }
                }
            }
            _ => drop(state),
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.send_rest(&mut Context::from_waker(&self.waker));
        }
        match &self.leaving {
            None => Stage::Live,
            Some(leaving) if !leaving.rest.is_empty() => {
                if leaving.discarded > DISCARD_MAX {
                    Stage::Flooded
                } else {
                    Stage::Answering
                }
            }
            Some(leaving) if leaving.is_dropped => Stage::Live,
            Some(_) if has_ended => Stage::Over,
            Some(leaving) if leaving.discarded > DISCARD_MAX => Stage::Flooded,
            Some(_) => Stage::Parting,
        }
    }

    /// Whether our side has said all that it has to say.
    pub(crate) fn has_ended(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.rest.is_empty() && !leaving.is_dropped)
    }

    pub(crate) fn is_answering(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| !leaving.rest.is_empty())
    }

    /// Tells those who answer what `h2` has found: to them it is a reset, and `h2` tells nobody else before it
    /// has been said to the peer.
    fn note_broken(&self, end: Option<End>) {
        if let Some(End::Broken(code)) = end {
            self.core.hub.note_broken(code);
        }
    }

    fn give_credit(&mut self, bytes: usize) {
        if bytes > 0 {
            // It fails on a stream that was reset, which needs no credit.
            drop(self.recv.flow_control().release_capacity(bytes));
        }
    }
}

/// How a stream whose peer has ended was closed by us, or with its connection, if it was. Both are a reset to
/// who answers, and after a reset by the peer its end is still read as one.
fn end_by_us(recv: &mut RecvStream) -> Option<End> {
    match recv.poll_data(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Err(error))) => Some(End::of_error(&error)),
        _ => None,
    }
}

/// Bytes of a peer that goes on sending after the end: what may have been on its way.
const DISCARD_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::StreamState;

    #[test]
    fn an_open_stream_is_small() {
        let sizes = (size_of::<Option<Entry>>(), size_of::<StreamState>());
        assert!(sizes.0 <= 96 && sizes.1 <= 144, "{sizes:?}");
    }
}
