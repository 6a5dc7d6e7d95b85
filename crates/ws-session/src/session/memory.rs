//! What the session holds for its peer, against the budgets.
//!
//! The account is a sum of numbers that are at hand anyway. It is drawn up where memory grows: when
//! received bytes stay behind undelivered, before something is inflated, and before a large message
//! is queued; never for a small message that comes and goes.

use ws_frame::FrameError;

use super::Session;
use crate::compression::Compression;
use crate::{Account, BudgetExceeded, Cause, SendError};

impl Session {
    /// What is held for the peer now.
    #[must_use]
    pub fn account(&self) -> Account {
        Account {
            received: self.inbound.held(),
            queued: self.outbound.held(),
            compression: self.compression.as_deref().map_or(0, Compression::held),
            fixed: size_of::<Self>().saturating_add(self.beside as usize),
        }
    }

    /// How many bytes are held for the peer in all: the total of the [`account`](Self::account).
    #[must_use]
    pub fn held(&self) -> usize {
        self.account().total()
    }

    /// Says how many bytes the owner of the session keeps for the peer beside it, such as the
    /// header fields of its handshake. They count for the budgets.
    pub fn set_beside(&mut self, bytes: usize) {
        self.beside = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// Whether received bytes stay behind that cross a budget. Looks only when there can be any.
    #[inline]
    pub(super) fn over_budget(&mut self) -> Option<BudgetExceeded> {
        if self.charge.is_none() && self.compression.is_none() && !self.inbound.holds() {
            return None;
        }
        let account = self.account();
        let max = self.config.budget();
        if account.total() > max {
            return Some(BudgetExceeded { account, max, is_shared: false });
        }
        let charge = self.charge.as_deref_mut()?;
        if charge.is(account.total()) || charge.set(account.total()) {
            return None;
        }
        Some(BudgetExceeded { account, max: charge.budget().max(), is_shared: true })
    }

    /// Says to the inflater, if there is one, how much may come out of what has arrived.
    #[inline]
    pub(super) fn make_room(&mut self) {
        if self.compression.is_some() {
            self.make_room_to_inflate();
        }
    }

    fn make_room_to_inflate(&mut self) {
        let shared = self.charge.as_ref().map_or(usize::MAX, |charge| charge.limit());
        let beside_the_message = self.held() - self.inbound.gathered();
        let room = self.config.budget().min(shared).saturating_sub(beside_the_message);
        if let Some(compression) = &mut self.compression {
            compression.set_room(room);
        }
    }

    /// What a decoder's error means: a message being inflated may have crossed a budget.
    pub(super) fn cause_of(&self, error: FrameError) -> Cause {
        if !self.compression.as_deref().is_some_and(Compression::lacked_room) {
            return Cause::Violation(error);
        }
        let (account, own) = (self.account(), self.config.budget());
        let exceeded = match &self.charge {
            Some(charge) if charge.limit() < own => {
                BudgetExceeded { account, max: charge.budget().max(), is_shared: true }
            }
            _ => BudgetExceeded { account, max: own, is_shared: false },
        };
        Cause::BudgetExceeded(exceeded)
    }

    /// Refuses a message of ours that does not fit. Small ones are not looked at one by one.
    #[inline]
    pub(super) fn check_room(&mut self, len: usize) -> Result<(), SendError> {
        if self.outbound.queue.len().saturating_add(len) <= UNCHECKED {
            return Ok(());
        }
        self.check_room_for(len)
    }

    #[cold]
    fn check_room_for(&mut self, len: usize) -> Result<(), SendError> {
        let size = self.held().saturating_add(len);
        let max = self.config.budget();
        if size > max {
            return Err(SendError::BudgetExceeded { size, max });
        }
        if let Some(charge) = self.charge.as_deref_mut()
            && !charge.set(size)
        {
            return Err(SendError::BudgetExceeded { size, max: charge.limit() });
        }
        // What was to be inflated into is taken.
        self.make_room();
        Ok(())
    }

    /// Gives back to the shared budget what is no longer held.
    pub(super) fn settle(&mut self) {
        if self.charge.is_some() {
            let held = self.held();
            if let Some(charge) = self.charge.as_deref_mut() {
                // What has grown is charged where it is judged.
                let _judged = held < charge.charged() && charge.set(held);
            }
        }
    }
}

/// Up to here a message is queued unseen: a quarter of the smallest budget.
const UNCHECKED: usize = 64 * 1024;
