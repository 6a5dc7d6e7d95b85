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

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};

use crate::alarm::after;
use crate::hub::{Adoption, End, Hub, Parting, Slot, StreamCore, StreamWaker};
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
    resets: Option<ResetBudget>,
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
    leaving: Option<Leaving>,
    #[expect(dead_code, reason = "held for its Drop")]
    slot: Option<Slot>,
}

/// An ended stream whose peer may still be sending.
#[derive(Debug)]
struct Leaving {
    send: SendStream<Bytes>,
    discarded: usize,
}

#[derive(Debug)]
struct Deadline {
    at: Instant,
    key: usize,
    serial: u64,
}

/// More resets than the budget allows: the connection has to end.
#[derive(Debug)]
pub(crate) struct TooManyResets;

impl Intake {
    pub(crate) fn new(hub: &Arc<Hub>, linger: Duration, resets: Option<ResetBudget>) -> Self {
        Self {
            hub: Arc::clone(hub),
            entries: Vec::new(),
            free: Vec::new(),
            ready: Vec::new(),
            deadlines: VecDeque::new(),
            linger,
            resets,
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
        self.deadlines.front().map(|deadline| deadline.at)
    }

    /// Ends the waits that are over.
    pub(crate) fn expire(&mut self, now: Instant) {
        while self.deadline().is_some_and(|at| at <= now) {
            let Some(deadline) = self.deadlines.pop_front() else { return };
            let Some(Some(entry)) = self.entries.get_mut(deadline.key) else { continue };
            if entry.serial != deadline.serial {
                continue;
            }
            if let Some(leaving) = &mut entry.leaving {
                // A server has answered and may say that the rest is of no interest (RFC 9113 §8.1).
                let code = if self.hub.is_server { Reason::NO_ERROR } else { Reason::CANCEL };
                leaving.send.send_reset(code);
                self.remove(deadline.key);
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
        let had_ended = entry.core.lock().end.is_some();
        let end = if had_ended { None } else { entry.take_frames() };
        let mut is_reset = matches!(end, Some(End::Reset(_)));
        let mut is_done = false;
        let mut waits = false;

        let mut state = entry.core.lock();
        let has_ended = state.end.is_some();
        let parting = match &state.parting {
            Parting::Ended(_) | Parting::Aborted => {
                mem::replace(&mut state.parting, Parting::Expired)
            }
            Parting::Waiting(_) => {
                waits = true;
                Parting::Not
            }
            _ => Parting::Not,
        };
        let unread = state.inbox.len();
        if matches!(parting, Parting::Ended(_)) {
            state.inbox.clear();
        }
        drop(state);

        match parting {
            Parting::Ended(send) => {
                entry.give_credit(unread);
                entry.leaving = Some(Leaving { send, discarded: 0 });
                waits = true;
            }
            Parting::Aborted => {
                is_reset |= !has_ended;
                is_done = true;
            }
            _ => {}
        }
        if let Some(leaving) = &mut entry.leaving {
            let too_much = leaving.discarded > DISCARD_MAX;
            if too_much {
                leaving.send.send_reset(Reason::CANCEL);
            }
            is_done |= has_ended || too_much;
        }
        if is_done {
            self.remove(key);
        } else if waits && !mem::replace(&mut entry.has_deadline, true) {
            let at = after(now, self.linger);
            self.deadlines.push_back(Deadline { at, key, serial: entry.serial });
        }
        let is_within_budget = match &mut self.resets {
            Some(budget) if is_reset => budget.charge(opened, now),
            _ => true,
        };
        if is_within_budget { Ok(()) } else { Err(TooManyResets) }
    }

    fn remove(&mut self, key: usize) {
        if let Some(entry) = self.entries.get_mut(key).and_then(Option::take) {
            self.free.push(key);
            entry.core.abandon();
        }
    }
}

impl Drop for Intake {
    /// The connection is gone, and its streams learn it.
    fn drop(&mut self) {
        for adoption in self.hub.close() {
            adoption.core.abandon();
        }
        for entry in self.entries.iter().flatten() {
            entry.core.abandon();
        }
    }
}

impl Entry {
    /// Moves what has come into the inbox; how the stream ended, if it has.
    fn take_frames(&mut self) -> Option<End> {
        let mut state = self.core.lock();
        let mut has_news = false;
        let mut released = 0;
        let end = loop {
            let mut cx = Context::from_waker(&self.waker);
            match self.recv.poll_data(&mut cx) {
                Poll::Pending => break None,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(leaving) = &mut self.leaving {
                        leaving.discarded += frame.len();
                        released += frame.len();
                    } else {
                        has_news |= !frame.is_empty();
                        state.inbox.push(frame);
                    }
                }
                Poll::Ready(Some(Err(error))) => break Some(end_of(&error)),
                // Otherwise there are trailers, and only DATA may follow a CONNECT (RFC 9113 §8.5).
                Poll::Ready(None) if self.is_tunnel && !self.recv.is_end_stream() => {
                    break Some(End::Malformed(Reason::PROTOCOL_ERROR));
                }
                Poll::Ready(None) => break Some(End::Fin),
            }
        };
        state.end = end;
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
        end
    }

    fn give_credit(&mut self, bytes: usize) {
        if bytes > 0 {
            // It fails on a stream that was reset, which needs no credit.
            drop(self.recv.flow_control().release_capacity(bytes));
        }
    }
}

fn end_of(error: &h2::Error) -> End {
    match error.reason() {
        Some(Reason::NO_ERROR) if error.is_reset() => End::Fin,
        Some(code) if error.is_reset() && error.is_remote() => End::Reset(code),
        Some(code) if error.is_reset() => End::Malformed(code),
        _ => End::Gone,
    }
}

/// Bytes of a peer that goes on sending after the end: what may have been on its way.
const DISCARD_MAX: usize = 1024 * 1024;
