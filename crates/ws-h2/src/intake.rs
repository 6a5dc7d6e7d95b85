//! Takes what arrives off a connection and gives it to the streams, whether anybody reads or not.
//!
//! If each stream took its own frames, those of an unread stream would stay inside `h2`, which ends
//! the whole connection when too many small ones lie there. So the driver takes all frames at once
//! into each stream's inbox; what is held back from the peer until somebody reads is the credit.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use h2::Reason;

use crate::adoption::Adoption;
use crate::deadlines::{Deadlines, is_mostly_gone};
use crate::entry::{Entry, Stage};
use crate::hub::{Hub, StreamWaker};
use crate::parting::Parting;
use crate::reset_budget::{ResetBudget, TooManyResets};

/// All streams of a connection, seen from its driver.
#[derive(Debug)]
pub(crate) struct Intake {
    hub: Arc<Hub>,
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    ready: Vec<usize>,
    /// Streams that wait for the end of their peer.
    ends: Deadlines,
    /// Streams whose peer has not taken all of its answer.
    answers: Deadlines,
    resets: Option<ResetBudget>,
    /// Streams that their users have dropped.
    dropped: Vec<Dropped>,
    last_serial: u64,
}

#[derive(Debug)]
struct Dropped {
    key: usize,
    serial: u64,
    /// Whether the peer may have made its user drop it: it had not ended then.
    is_early: bool,
}

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
            ends: Deadlines::new(linger),
            answers: Deadlines::new(answer_timeout),
            resets,
            dropped: Vec::new(),
            last_serial: 0,
        }
    }

    /// Begins to drive a stream.
    pub(crate) fn adopt(&mut self, adoption: Adoption, now: Instant) {
        let Adoption { core, recv, slot, is_tunnel } = adoption;
        let key = self.free.pop().unwrap_or(self.entries.len());
        let hub = Arc::clone(&self.hub);
        let mark = Arc::new(StreamWaker { hub, key, is_queued: AtomicBool::new(false) });
        core.adopt(key);
        self.last_serial += 1;
        let entry = Entry {
            core,
            recv,
            waker: Waker::from(Arc::clone(&mark)),
            mark,
            opened: now,
            serial: self.last_serial,
            is_tunnel,
            has_deadline: false,
            has_answer_deadline: false,
            is_gone: false,
            is_owing: false,
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

    /// How many streams are in use, also those that `h2` has closed and whose users have not noticed yet.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether no stream is in use.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes everything off the connection that has come.
    pub(crate) fn drain(&mut self, now: Instant) -> Result<(), TooManyResets> {
        let result = self.look_at_ready(now);
        self.hub.swap_ready(&mut self.ready);
        // All are looked at, however many were reset: it may be the last look.
        let result = self.look_at_ready(now).and(result);
        let places = self.entries.len();
        let is_there = |key: usize, serial| {
            let entry = self.entries.get(key).and_then(Option::as_ref);
            entry.is_some_and(|entry| entry.serial == serial)
        };
        for waits in [&mut self.ends, &mut self.answers] {
            waits.forget(places, |deadline| is_there(deadline.key, deadline.serial));
        }
        if is_mostly_gone(self.dropped.len(), places) {
            self.dropped.retain(|dropped| is_there(dropped.key, dropped.serial));
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
        self.ends.next().into_iter().chain(self.answers.next()).min()
    }

    /// Ends the waits that are over.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(deadline) = self.answers.take(now) {
            let entry = self.entries.get(deadline.key).and_then(Option::as_ref);
            if entry.is_some_and(|entry| entry.serial == deadline.serial && entry.is_answering()) {
                self.cut(deadline.key);
            }
        }
        while let Some(deadline) = self.ends.take(now) {
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
        let taken = entry.take_frames();
        let mut result = Ok(());
        if taken.is_reset
            && let Some(resets) = &mut self.resets
        {
            match resets.charge(entry.opened, now) {
                Ok(is_charged) => entry.is_owing = is_charged && taken.was_answered,
                Err(error) => result = Err(error),
            }
        }
        let stage = if taken.is_live { Stage::Live } else { entry.next_stage() };
        match stage {
            Stage::Live => {}
            Stage::Answering => {
                if !mem::replace(&mut entry.has_answer_deadline, true) {
                    self.answers.push(key, entry.serial, now);
                }
            }
            Stage::Parting => {
                if !mem::replace(&mut entry.has_deadline, true) {
                    self.ends.push(key, entry.serial, now);
                }
            }
            Stage::Flooded => self.cut(key),
            Stage::Dropped => {
                // What it waited for until now is over.
                self.last_serial += 1;
                entry.serial = self.last_serial;
                let serial = entry.serial;
                let is_early = entry.core.lock().end.is_none();
                self.ends.push(key, serial, now);
                self.dropped.push(Dropped { key, serial, is_early });
            }
            Stage::Over => self.remove(key),
        }
        if taken.is_crowding { self.make_room(key, now).and(result) } else { result }
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
        let Some(resets) = &mut self.resets else { return Ok(()) };
        resets.charge(opened, now).map(drop)
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
            if fullest.evict() {
                result = self.count_reset(opened, now).and(result);
            }
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
        let Some(entry) = self.entries.get_mut(key).and_then(Option::take) else { return };
        self.free.push(key);
        if let Some(resets) = self.resets.as_mut().filter(|_| entry.is_owing) {
            resets.refund();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::StreamCore;
    use crate::leaving::Leaving;

    /// As long as the socket takes nothing, nothing is reset.
    // THREAT: memory-amplification
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do, and there is no other")]
    async fn streams_that_were_dropped_and_are_gone_are_not_kept_for_a_reset() {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (client, server) =
            tokio::join!(h2::client::handshake(near), h2::server::handshake(far));
        let ((mut client, connection), mut server) = (client.unwrap(), server.unwrap());
        tokio::spawn(connection);
        let hub = Hub::new(true, 0, None, None);
        let mut now = Instant::now();
        let mut intake = Intake::new(&hub, Duration::from_secs(1), Duration::MAX, None);
        for _ in 0..500 {
            client = client.ready().await.unwrap();
            let kept = client.send_request(http::Request::new(()), false).unwrap();
            let (request, mut responder) = server.accept().await.unwrap().unwrap();
            let send = responder.send_response(http::Response::new(()), false).unwrap();
            let core = StreamCore::new(&hub);
            let (recv, stream) = (request.into_body(), Arc::clone(&core));
            intake.adopt(Adoption { core, recv, slot: None, is_tunnel: true }, now);
            stream.part(Parting::Dropped(Leaving::dropped(send)));
            assert!(intake.drain(now).is_ok() && intake.has_dropped());
            now += Duration::from_secs(1);
            intake.expire(now);
            assert!(intake.is_empty());
            drop(kept);
        }
        assert!(intake.dropped.len() <= 64, "{}", intake.dropped.len());
    }
}
