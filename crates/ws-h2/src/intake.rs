//! Takes what arrives off a connection and gives it to the streams, whether anybody reads or not.
//!
//! If each stream took its own frames, those of an unread stream would stay inside `h2`, which ends
//! the whole connection when too many small ones lie there. So the driver takes all frames at once
//! into each stream's inbox; what is held back from the peer until somebody reads is the credit.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use h2::{Reason, RecvStream};

use crate::adoption::Adoption;
use crate::alarm::after;
use crate::hub::{End, Hub, Parting, Slot, StreamCore, StreamWaker};
use crate::leaving::Leaving;
use crate::reset_budget::ResetBudget;

/// All streams of a connection, seen from its driver.
#[derive(Debug)]
pub(crate) struct Intake {
    hub: Arc<Hub>,
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    ready: Vec<usize>,
    /// Streams that wait for the end of their peer, the nearest deadline first.
    deadlines: VecDeque<Deadline>,
    linger: Duration,
    /// Streams whose peer has not taken all of its answer, likewise.
    answers: VecDeque<Deadline>,
    /// How long that may take.
    answer_timeout: Duration,
    resets: Option<ResetBudget>,
    /// Streams that their users have dropped.
    dropped: Vec<Dropped>,
    adopted: u64,
}

#[derive(Debug)]
struct Entry {
    core: Arc<StreamCore>,
    recv: RecvStream,
    waker: Waker,
    mark: Arc<StreamWaker>,
    opened: Instant,
    /// Tells the streams apart that had the same key.
    serial: u64,
    is_tunnel: bool,
    has_deadline: bool,
    has_answer_deadline: bool,
    leaving: Option<Box<Leaving>>,
    /// Given back when the stream is closed on both sides, by whomever; at the latest when it is over.
    slot: Option<Slot>,
}

#[derive(Debug)]
struct Deadline {
    at: Instant,
    key: usize,
    serial: u64,
}

#[derive(Debug)]
struct Dropped {
    key: usize,
    serial: u64,
    /// Whether the peer may have made its user drop it: it had not ended then.
    is_early: bool,
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Quiet,
    /// The peer has just reset the stream.
    Reset,
    /// The budget has no room for what lies unread.
    Crowding,
}

/// More resets than the budget allows: the connection has to end.
#[derive(Debug)]
pub(crate) struct TooManyResets;

impl Intake {
    pub(crate) fn new(
        hub: &Arc<Hub>,
        linger: Duration,
        answer_timeout: Duration,
        resets: Option<ResetBudget>,
    ) -> Self {
        Self {
            hub: Arc::clone(hub),
            entries: Vec::new(),
            free: Vec::new(),
            ready: Vec::new(),
            deadlines: VecDeque::new(),
            linger,
            answers: VecDeque::new(),
            answer_timeout,
            resets,
            dropped: Vec::new(),
            adopted: 0,
        }
    }

    /// Begins to drive a stream.
    pub(crate) fn adopt(&mut self, adoption: Adoption, now: Instant) {
        let Adoption { core, recv, slot, is_tunnel } = adoption;
        let key = self.free.pop().unwrap_or(self.entries.len());
        let hub = Arc::clone(&self.hub);
        let mark = Arc::new(StreamWaker { hub, key, is_queued: AtomicBool::new(false) });
        core.adopt(key);
        self.adopted += 1;
        let entry = Entry {
            core,
            recv,
            waker: Waker::from(Arc::clone(&mark)),
            mark,
            opened: now,
            serial: self.adopted,
            is_tunnel,
            has_deadline: false,
            has_answer_deadline: false,
            leaving: None,
            slot,
        };
        match self.entries.get_mut(key) {
            Some(place) => *place = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        // Something may have come, or the user may have left, before anybody looked.
        self.ready.push(key);
    }

    /// Whether no stream is in use.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.len() == self.free.len()
    }

    /// Takes everything off the connection that has come.
    pub(crate) fn drain(&mut self, now: Instant) -> Result<(), TooManyResets> {
        let mut result = self.look_at_ready(now);
        self.hub.swap_ready(&mut self.ready);
        if result.is_ok() {
            result = self.look_at_ready(now);
        }
        result
    }

    fn look_at_ready(&mut self, now: Instant) -> Result<(), TooManyResets> {
        let mut ready = mem::take(&mut self.ready);
        let mut result = Ok(());
        for key in ready.drain(..) {
            if self.look_at(key, now).is_err() {
                result = Err(TooManyResets);
            }
        }
        self.ready = ready;
        result
    }

    /// When [`expire`](Self::expire) is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let fronts = self.deadlines.front().into_iter().chain(self.answers.front());
        fronts.map(|deadline| deadline.at).min()
    }

    /// Ends the waits that are over.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(deadline) = due(&mut self.answers, now) {
            let entry = self.entries.get(deadline.key).and_then(Option::as_ref);
            if entry.is_some_and(|entry| entry.serial == deadline.serial && entry.is_answering()) {
                self.cut(deadline.key);
            }
        }
        while let Some(deadline) = due(&mut self.deadlines, now) {
            let Some(Some(entry)) = self.entries.get_mut(deadline.key) else { continue };
            if entry.serial != deadline.serial {
                continue;
            }
            if entry.leaving.is_some() {
                self.cut(deadline.key);
                continue;
            }
            let mut state = entry.core.lock();
            if let Parting::Waiting(waker) = &mut state.parting {
                let waker = waker.take();
                state.parting = Parting::Expired;
                drop(state);
                waker.into_iter().for_each(Waker::wake);
            }
        }
    }

    fn look_at(&mut self, key: usize, now: Instant) -> Result<(), TooManyResets> {
        let Some(Some(entry)) = self.entries.get_mut(key) else { return Ok(()) };
        entry.mark.is_queued.store(false, Ordering::Release);
        let opened = entry.opened;
        let taken = entry.take_frames();
        let is_reset = taken == Taken::Reset;
        match entry.next_stage() {
            Stage::Live => {}
            Stage::Answering => {
                if !mem::replace(&mut entry.has_answer_deadline, true) {
                    let at = after(now, self.answer_timeout);
                    self.answers.push_back(Deadline { at, key, serial: entry.serial });
                }
            }
            Stage::Parting => {
                if !mem::replace(&mut entry.has_deadline, true) {
                    let at = after(now, self.linger);
                    self.deadlines.push_back(Deadline { at, key, serial: entry.serial });
                }
            }
            Stage::Flooded => self.cut(key),
            Stage::Dropped => {
                let (at, serial) = (after(now, self.linger), entry.serial);
                let is_early = entry.core.lock().end.is_none();
                self.deadlines.push_back(Deadline { at, key, serial });
                self.dropped.push(Dropped { key, serial, is_early });
            }
            Stage::Over => self.remove(key),
        }
        if taken == Taken::Crowding {
            self.make_room(key, now)?;
        }
        if is_reset { self.count_reset(opened, now) } else { Ok(()) }
    }

    /// Whether streams wait to be [reset](Self::reset_dropped).
    pub(crate) fn has_dropped(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// Resets the streams that were dropped. `h2` throws away what is queued on a stream that is reset,
    /// so it must have written everything since they were found.
    pub(crate) fn reset_dropped(&mut self, now: Instant) -> Result<(), TooManyResets> {
        let mut result = Ok(());
        for Dropped { key, serial, is_early } in mem::take(&mut self.dropped) {
            let entry = self.entries.get(key).and_then(Option::as_ref);
            if let Some(entry) = entry.filter(|entry| entry.serial == serial) {
                let opened = entry.opened;
                self.cut(key);
                if is_early {
                    result = self.count_reset(opened, now).and(result);
                }
            }
        }
        result
    }

    /// Counts the reset of a stream, by whomever.
    pub(crate) fn count_reset(
        &mut self,
        opened: Instant,
        now: Instant,
    ) -> Result<(), TooManyResets> {
        let budget = self.resets.as_mut();
        if budget.is_none_or(|budget| budget.charge(opened, now)) {
            Ok(())
        } else {
            Err(TooManyResets)
        }
    }

    /// Resets the streams that hold most until the budget has room for what lies on this one.
    fn make_room(&mut self, key: usize, now: Instant) -> Result<(), TooManyResets> {
        let mut result = Ok(());
        while let Some(Some(entry)) = self.entries.get(key)
            && !entry.is_within_budget()
            && let Some(Some(fullest)) = self
                .entries
                .iter_mut()
                .max_by_key(|entry| entry.as_ref().map_or(0, |entry| entry.core.lock().inbox.len()))
        {
            tracing::debug!("the budget of memory is used up: resetting a stream");
            let opened = fullest.opened;
            fullest.evict();
            result = self.count_reset(opened, now).and(result);
        }
        result
    }

    /// Resets a stream that its user has left and its peer does not end.
    fn cut(&mut self, key: usize) {
        let entry = self.entries.get_mut(key).and_then(Option::as_mut);
        let has_ended = entry.as_ref().is_some_and(|entry| entry.has_ended());
        // A server has answered and may say that the rest is of no interest (RFC 9113 §8.1).
        let is_content = self.hub.is_server && has_ended;
        let code = if is_content { Reason::NO_ERROR } else { Reason::CANCEL };
        if let Some(leaving) = entry.and_then(|entry| entry.leaving.as_mut()) {
            leaving.send.send_reset(code);
        }
        self.remove(key);
    }

    /// Lets go of a stream that its user has left.
    fn remove(&mut self, key: usize) {
        if self.entries.get_mut(key).and_then(Option::take).is_some() {
            self.free.push(key);
        }
    }
}

impl Drop for Intake {
    /// The connection is gone, and its streams learn it.
    fn drop(&mut self) {
        for adoption in self.hub.close() {
            adoption.finish();
        }
        for entry in self.entries.iter().flatten() {
            entry.core.abandon();
        }
    }
}

impl Entry {
    /// Moves what has come into the inbox.
    fn take_frames(&mut self) -> Taken {
        let mut state = self.core.lock();
        let is_evicted = state.end == Some(End::Evicted);
        if state.end.is_some() && !is_evicted {
            return Taken::Quiet;
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
            return Taken::Quiet;
        }
        state.end = end;
        let has_room = state.charge();
        let mut wakers = [None, None];
        if has_news || end.is_some() {
            wakers[0] = state.reader.take();
        }
        if let (Some(_), Parting::Waiting(waker)) = (end, &mut state.parting) {
            wakers[1] = waker.take();
        }
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        self.give_credit(released);
        if is_closed {
            self.slot = None;
        }
        match end {
            // A peer may answer our end in whatever way it likes.
            Some(End::Reset(_)) if self.leaving.is_none() => Taken::Reset,
            _ if has_room => Taken::Quiet,
            _ => Taken::Crowding,
        }
    }

    /// Whether there is memory for what lies unread.
    fn is_within_budget(&self) -> bool {
        self.core.lock().charge()
    }

    /// Resets a stream for which there is none.
    fn evict(&mut self) {
        let credit = self.recv.flow_control();
        // It fails on a stream that was reset, which needs no credit.
        self.core.evict(|unread| drop(credit.release_capacity(unread)));
    }

    /// Takes note of what the user of the stream has told us.
    fn next_stage(&mut self) -> Stage {
        let mut state = self.core.lock();
        let end = state.end;
        let has_ended = end.is_some();
        match &state.parting {
            Parting::Waiting(_) => return Stage::Parting,
            Parting::Aborted => return Stage::Over,
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
            Parting::Not | Parting::Expired | Parting::Abandoned => drop(state),
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
    fn has_ended(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.rest.is_empty() && !leaving.is_dropped)
    }

    fn is_answering(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| !leaving.rest.is_empty())
    }

    fn give_credit(&mut self, bytes: usize) {
        if bytes > 0 {
            // It fails on a stream that was reset, which needs no credit.
            drop(self.recv.flow_control().release_capacity(bytes));
        }
    }
}

/// The first of these, when its time has come.
fn due(deadlines: &mut VecDeque<Deadline>, now: Instant) -> Option<Deadline> {
    let is_due = deadlines.front().is_some_and(|deadline| deadline.at <= now);
    if is_due { deadlines.pop_front() } else { None }
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
