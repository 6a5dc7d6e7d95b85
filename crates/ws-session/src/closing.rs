//! The end of a session (RFC 6455 §7): who began it, which close frames went which way, and the one
//! outcome.

use ws_frame::{CloseCode, CloseFrame, WriteQueue};

use crate::{Cause, Outcome};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Data goes both ways.
    #[default]
    Open,
    /// Our close frame is queued or sent, the peer's has not come.
    CloseSent,
    /// Nothing of interest can come any more: the goodbye is written, our direction ended, and what
    /// still arrives is thrown away, so that unread input does not reset the connection and destroy
    /// the goodbye on its way.
    Draining,
    /// Over.
    Finished,
}

#[derive(Debug, Default)]
pub(crate) struct Closing {
    pub(crate) phase: Phase,
    /// Whether the connection was failed, in the sense of RFC 6455 §7.1.7.
    pub(crate) failed: bool,
    /// Whether something that was queued never left, or nobody knows.
    pub(crate) is_cut_short: bool,
    /// Whether our direction of the transport was ended.
    pub(crate) is_shut_down: bool,
    /// Whether nothing is waited for any more but the end of our direction.
    pub(crate) is_parting: bool,
    is_reported: bool,
    /// In a box, because an open session has none of it.
    end: Option<Box<End>>,
}

/// What is known of the end once it has begun.
#[derive(Debug, Default)]
struct End {
    /// The peer's close frame; the inner `None` is one without a body.
    remote: Option<Option<CloseFrame>>,
    /// Our close frame.
    sent: Option<Option<CloseFrame>>,
    /// How much has left when the last byte of it has.
    sent_at: u64,
    cause: Option<Cause>,
    drained: usize,
    outcome: Option<Outcome>,
}

impl Closing {
    /// Takes note of what set the end in motion; only the first cause counts.
    pub(crate) fn begin(&mut self, cause: Cause) {
        self.end().cause.get_or_insert(cause);
    }

    /// Takes note of the peer's close frame.
    pub(crate) fn received(&mut self, frame: Option<CloseFrame>) {
        self.end().remote = Some(frame);
    }

    /// Takes note of our close frame, which is the last in the queue now.
    pub(crate) fn sent(&mut self, frame: Option<CloseFrame>, queue: &WriteQueue) {
        let end = self.end();
        end.sent = Some(frame);
        end.sent_at = queue.taken() + queue.len() as u64;
    }

    /// How much has left when the last byte of our close frame has; nothing while there is none.
    pub(crate) fn sent_at(&self) -> u64 {
        self.end.as_ref().map_or(0, |end| end.sent_at)
    }

    /// Takes note that the queue is thrown away, and whether the transport holds more. Behind the close
    /// frame there are at most answers to pings, which nobody misses.
    pub(crate) fn throw_away(&mut self, queue: &WriteQueue, flushing: bool) {
        self.is_cut_short |= flushing;
        if queue.is_empty() {
            return;
        }
        let end = self.end();
        let is_said = end.sent.is_some() && queue.taken() >= end.sent_at;
        if !is_said {
            end.sent = None;
            self.is_cut_short = true;
        }
    }

    /// Whether close frames went both ways.
    pub(crate) fn is_handshake_complete(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.remote.is_some() && end.sent.is_some())
    }

    /// Counts what was thrown away and says whether that is more than a peer may have had on its
    /// way when it learnt of our goodbye.
    pub(crate) fn drained_too_much(&mut self, drained: usize, max: usize) -> bool {
        let end = self.end();
        end.drained = end.drained.saturating_add(drained);
        end.drained > max
    }

    pub(crate) fn finish(&mut self) {
        if self.phase == Phase::Finished {
            return;
        }
        self.phase = Phase::Finished;
        let clean = self.is_handshake_complete() && !self.failed && !self.is_cut_short;
        let end = self.end();
        let (code, reason) = match &end.remote {
            None => (CloseCode::ABNORMAL, String::new()),
            Some(None) => (CloseCode::NO_STATUS, String::new()),
            Some(Some(frame)) => (frame.code, frame.reason.clone()),
        };
        let cause = end.cause.take().unwrap_or(Cause::Normal);
        let sent = end.sent.clone();
        end.outcome = Some(Outcome { code, reason, sent, clean, cause });
    }

    fn end(&mut self) -> &mut End {
        self.end.get_or_insert_default()
    }

    /// Whether the end is still to be reported; it is from now on.
    pub(crate) fn report(&mut self) -> bool {
        !std::mem::replace(&mut self.is_reported, true)
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.end.as_ref()?.outcome.as_ref()
    }
}

/// The close frame that tells the peer why we fail the connection.
pub(crate) fn goodbye(cause: &Cause, iana_codes: bool) -> CloseFrame {
    match cause {
        Cause::Violation(error) => CloseFrame::new(error.close_code(), error.to_string()),
        Cause::BudgetExceeded(exceeded) => {
            CloseFrame::new(exceeded.close_code(iana_codes), exceeded.to_string())
        }
        Cause::MessageStalled => {
            CloseFrame::new(CloseCode::POLICY_VIOLATION, "message not complete in time")
        }
        _ => CloseFrame::from(CloseCode::INTERNAL_ERROR),
    }
}
