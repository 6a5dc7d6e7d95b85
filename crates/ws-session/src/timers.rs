//! Deadlines. Time comes in at the wait points only: between them, activity sets flags and counters
//! that [`Timers::update`] turns into instants.

use std::time::{Duration, Instant};

use crate::Config;

/// Who reads what the peer sends, while a deadline is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Whoever waits, and everything that has arrived was read.
    Here,
    /// Another task, which judges the peer.
    Elsewhere,
    /// Nobody, so the peer cannot be blamed for silence.
    Nowhere,
}

/// What the session knows about itself when it is about to wait.
#[derive(Debug)]
pub(crate) struct Activity {
    pub(crate) reading: Reading,
    /// Whether the session is open or waits for the peer's close frame.
    pub(crate) open: bool,
    /// Whether a close frame was sent or the session is being shut down.
    pub(crate) closing: bool,
    /// Whether the connection was failed: of what is queued nothing matters but the reason.
    pub(crate) failed: bool,
    /// How many bytes are written when the close frame is. Behind it come answers to pings, with which
    /// a peer could prolong the wait for its own.
    pub(crate) goodbye_at: u64,
    /// Whether only the end of the transport is waited for.
    pub(crate) lingering: bool,
    /// Whether only our end of the transport is waited for.
    pub(crate) parting: bool,
    /// Bytes that arrived of a message that is not complete.
    pub(crate) message_bytes: Option<u64>,
    /// Whether bytes wait to be written, here or in the transport.
    pub(crate) unwritten: bool,
    /// Bytes that were written so far.
    pub(crate) written: u64,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    KeepAlive,
    Idle,
    MessageStalled,
    WriteStalled,
    CloseTimeout,
    /// The contexts of compression have been idle for long enough.
    Release,
}

/// How long the end of the transport is waited for after both close frames, at most: the closing
/// handshake is complete, and there are servers that never end their side. With [`PARTING`], over
/// HTTP/2, two seconds.
const LINGER: Duration = Duration::from_millis(1500);

/// How long the end of our own direction may take once the peer is no longer waited for: as a rule it
/// takes no time.
const PARTING: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Whether bytes came since the last wait point.
    pub(crate) received: bool,
    flushing: Flushing,
    /// How many bytes of a keep-alive ping are still to be written, which are no progress: a
    /// transport that is stuck may have room for them all the same.
    ping_len: u8,
    /// How many bytes are still to be written until all of the ping has left.
    ping_left: u32,
    last_received: Option<Instant>,
    pinged_at: Option<Instant>,
    message_since: Option<Instant>,
    stalled_since: Option<Instant>,
    written: u64,
    /// Whether the transport tells when it passes something on, so that what it takes is no progress yet.
    tells_progress: bool,
    /// In a box, because an open session has none of it.
    farewell: Option<Box<Farewell>>,
}

/// Whether the transport has not passed on all that it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flushing {
    #[default]
    No,
    Yes,
    /// It has, since the last wait point.
    Ended,
}

/// Since when the session is closing, since when only the end of the transport is missing, and since
/// when only our own.
#[derive(Debug)]
struct Farewell {
    /// Later the more leaves: a slow peer is to get what is queued before the goodbye.
    since: Instant,
    lingering_since: Option<Instant>,
    parting_since: Option<Instant>,
}

impl Farewell {
    fn new(now: Instant) -> Self {
        Self { since: now, lingering_since: None, parting_since: None }
    }

    /// Gives time for what has left: a second for each KiB, so that a trickle does not prolong it.
    fn prolong(&mut self, now: Instant, left: u64) {
        let seconds = Duration::from_secs(left) / 1024;
        self.since = self.since.checked_add(seconds).map_or(now, |since| since.min(now));
    }

    fn deadline(&self, config: &Config) -> Option<Instant> {
        if let Some(since) = self.parting_since {
            return since.checked_add(PARTING);
        }
        let close = self.since.checked_add(config.close_timeout);
        let end = self.lingering_since.and_then(|since| since.checked_add(LINGER));
        close.into_iter().chain(end).min()
    }
}

impl Timers {
    /// Takes note of the time and returns the earliest deadline with what is due then.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        activity: &Activity,
        config: &Config,
    ) -> Option<(Instant, Due)> {
        if std::mem::take(&mut self.received) || self.last_received.is_none() {
            self.last_received = Some(now);
            self.pinged_at = None;
        }
        match activity.reading {
            Reading::Here => since(&mut self.message_since, now, activity.message_bytes.is_some()),
            Reading::Elsewhere => {}
            Reading::Nowhere => {
                // The answer to a ping may have arrived; it gets its whole time again.
                self.pinged_at = None;
                self.message_since = None;
            }
        }
        let ping_was_held = self.ping_left > 0 || self.flushing != Flushing::No;
        let before = self.written;
        if self.written != activity.written {
            self.note_written(activity.written);
        }
        let left = self.written.min(activity.goodbye_at).saturating_sub(before);
        if ping_was_held {
            // It may have left just now: until then the peer was judged by what it takes.
            self.pinged_at = self.pinged_at.map(|_| now);
        }
        if self.flushing == Flushing::Ended {
            self.flushing = Flushing::No;
        }
        since(&mut self.stalled_since, now, activity.unwritten);
        if activity.closing {
            let farewell = self.farewell.get_or_insert_with(|| Box::new(Farewell::new(now)));
            if !activity.failed {
                farewell.prolong(now, left);
            }
            since(&mut farewell.lingering_since, now, activity.lingering);
            since(&mut farewell.parting_since, now, activity.parting);
        } else {
            self.farewell = None;
        }
        self.next(now, activity, config)
    }

    /// Whether they were given the time.
    pub(crate) fn have_begun(&self) -> bool {
        self.last_received.is_some()
    }

    /// Whether nothing is waited for but the peer's next message.
    pub(crate) fn are_calm(&self) -> bool {
        self.pinged_at.is_none()
            && self.message_since.is_none()
            && self.stalled_since.is_none()
            && self.farewell.is_none()
            && self.ping_left == 0
    }

    /// As [`update`](Self::update) while they [are](Self::are_calm) and the session has nothing else to do.
    pub(crate) fn rest(
        &mut self,
        now: Instant,
        written: u64,
        config: &Config,
    ) -> Option<(Instant, Due)> {
        self.written = written;
        if std::mem::take(&mut self.received) || self.last_received.is_none() {
            self.last_received = Some(now);
        }
        match config.ping_after() {
            Some(silence) => after(self.last_received, silence, Due::KeepAlive),
            None => after(self.last_received, config.idle_timeout, Due::Idle),
        }
    }

    /// Takes note of whether the transport has not passed on all that it was given.
    pub(crate) fn set_flushing(&mut self, flushing: bool) {
        if flushing {
            self.flushing = Flushing::Yes;
        } else if self.flushing == Flushing::Yes {
            self.flushing = Flushing::Ended;
        }
    }

    /// Whether the transport has not passed on all that it was given.
    pub(crate) fn is_flushing(&self) -> bool {
        self.flushing == Flushing::Yes
    }

    /// Takes note of whether the transport has passed something on, if it tells.
    pub(crate) fn note_progress(&mut self, progress: Option<bool>) {
        self.tells_progress = progress.is_some();
        if progress == Some(true) {
            self.stalled_since = None;
        }
    }

    fn note_written(&mut self, written: u64) {
        let moved = written.wrapping_sub(std::mem::replace(&mut self.written, written));
        let moved = u32::try_from(moved).unwrap_or(u32::MAX);
        let ping_len = u32::from(self.ping_len);
        let is_progress = self.ping_left > ping_len || moved > ping_len;
        if is_progress && !self.tells_progress {
            self.stalled_since = None;
        }
        self.ping_left = self.ping_left.saturating_sub(moved);
        self.ping_len = self.ping_len.min(u8::try_from(self.ping_left).unwrap_or(u8::MAX));
    }

    /// Takes note that the keep-alive ping was queued, as a frame of `len` bytes behind `before`.
    pub(crate) fn pinged(&mut self, now: Instant, before: usize, len: usize) {
        self.pinged_at = Some(now);
        self.ping_len = u8::try_from(len).unwrap_or(u8::MAX);
        self.ping_left = u32::try_from(before + len).unwrap_or(u32::MAX);
    }

    /// Forgets how long a message has been open: another one began.
    pub(crate) fn message_ended(&mut self) {
        self.message_since = None;
    }

    /// When a stalled transport is given up, or looked at again.
    fn stalled_until(&self, now: Instant, timeout: Duration) -> Option<(Instant, Due)> {
        let end @ (end_at, _) = after(self.stalled_since, timeout, Due::WriteStalled)?;
        if !self.tells_progress {
            return Some(end);
        }
        let step = timeout / LOOKS;
        let mut looks = (1..LOOKS).filter_map(|look| end_at.checked_sub(step * (LOOKS - look)));
        Some((looks.find(|at| *at > now).unwrap_or(end_at), Due::WriteStalled))
    }

    fn next(&self, now: Instant, activity: &Activity, config: &Config) -> Option<(Instant, Due)> {
        let is_judged = activity.reading == Reading::Here && activity.open;
        let quiet = self.last_received.filter(|_| is_judged && !activity.closing);
        let silence = match (self.pinged_at, config.ping_after()) {
            // The answer gets its time even if the ping went out late.
            (Some(pinged_at), ping_after) => {
                let grace = config.idle_timeout.saturating_sub(ping_after.unwrap_or_default());
                after(Some(pinged_at), grace, Due::Idle)
            }
            (None, Some(ping_after)) => after(quiet, ping_after, Due::KeepAlive),
            (None, None) => after(quiet, config.idle_timeout, Due::Idle),
        };
        let silence = silence.filter(|_| quiet.is_some());
        if self.message_since.is_none() && self.stalled_since.is_none() && self.farewell.is_none() {
            // An open session that waits for the next message.
            return silence;
        }
        let received = activity.message_bytes.unwrap_or_default();
        let message = config.message_timeout.saturating_add(Duration::from_secs(received / 1024));
        let farewell = self.farewell.as_ref().and_then(|farewell| farewell.deadline(config));
        [
            silence,
            after(self.message_since.filter(|_| is_judged), message, Due::MessageStalled),
            self.stalled_until(now, config.write_timeout),
            farewell.map(|at| (at, Due::CloseTimeout)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }
}

/// How often a transport that tells of its progress is asked for it within the write timeout. It wakes
/// nobody for what it passes on, so the timeout may strike so much of itself later.
const LOOKS: u32 = 8;

/// Keeps the instant since which `holds` has been true.
fn since(instant: &mut Option<Instant>, now: Instant, holds: bool) {
    if !holds {
        *instant = None;
    } else if instant.is_none() {
        *instant = Some(now);
    }
}

/// A deadline, unless it lies beyond what an instant can say.
fn after(since: Option<Instant>, timeout: Duration, due: Due) -> Option<(Instant, Due)> {
    since?.checked_add(timeout).map(|at| (at, due))
}
