//! What lies unread on the streams of a server, against a budget of memory that others share.
//!
//! Each stream charges what its inbox holds when a turn of reading has made it grow, and gives it
//! back when half of it was read. The first KiB stays charged: small messages that come and go cost
//! the shared counter nothing.

use std::task::Waker;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use ws_io::{Charge, SharedBudget};

use crate::hub::{End, StreamCore, StreamState};
use crate::parting::Parting;

/// One stream's account.
#[derive(Debug)]
pub(crate) struct Meter {
    charge: Charge,
    /// Resets the stream once it is open; until then its request is to be answered.
    pub(crate) responder: Option<SendResponse<Bytes>>,
}

impl Meter {
    pub(crate) fn new(budget: &SharedBudget) -> Box<Self> {
        Box::new(Self { charge: budget.open(), responder: None })
    }
}

impl StreamState {
    /// Charges what lies in the inbox; false if the budget has no room for it.
    pub(crate) fn charge(&mut self) -> bool {
        let Some(meter) = &mut self.meter else { return true };
        let unread = self.inbox.len();
        unread <= meter.charge.charged() || meter.charge.set(unread)
    }

    /// Gives back what was read.
    pub(crate) fn discharge(&mut self) {
        let Some(meter) = &mut self.meter else { return };
        let unread = self.inbox.len();
        let charged = meter.charge.charged();
        if charged > KEPT && unread <= charged / 2 {
            let _less = meter.charge.set(unread.max(KEPT));
        }
    }
}

impl StreamCore {
    /// The stream is open: from now on it can be reset by its connection's task, too.
    pub(crate) fn entrust(&self, mut responder: SendResponse<Bytes>) {
        let mut state = self.lock();
        if matches!(state.parting, Parting::Not) {
            state.parting = Parting::Open;
        }
        if state.end == Some(End::Evicted) {
            responder.send_reset(Reason::ENHANCE_YOUR_CALM);
        } else if let Some(meter) = &mut state.meter {
            meter.responder = Some(responder);
        }
    }

    /// Throws away what lies unread, through `give_credit`, and resets the stream; whether its peer had
    /// not done so.
    pub(crate) fn evict(&self, give_credit: impl FnOnce(usize)) -> bool {
        let mut state = self.lock();
        let is_new = !matches!(state.end, Some(End::Reset(_)));
        let unread = state.inbox.len();
        state.inbox.clear();
        state.end = Some(End::Evicted);
        // While it can still be given: the connection's window is not to shrink by a dead stream.
        give_credit(unread);
        let is_in_use = matches!(state.parting, Parting::Open | Parting::Stopped(_));
        if let Some(meter) = &mut state.meter {
            let _less = meter.charge.set(0);
            if let Some(mut responder) = meter.responder.take().filter(|_| is_in_use) {
                responder.send_reset(Reason::ENHANCE_YOUR_CALM);
            }
        }
        let waiting = state.take_waiting();
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
        is_new
    }
}

/// What stays charged once something has come.
const KEPT: usize = 1024;
