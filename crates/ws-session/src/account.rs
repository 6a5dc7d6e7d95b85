//! What is held for one peer, and what happens when that is too much.

use std::fmt;

use ws_frame::CloseCode;

/// What a session holds for its peer, in bytes; from [`Session::account`](crate::Session::account).
///
/// A message that was delivered belongs to the application and is no longer in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Received and not delivered: what the read buffer and the message in progress take. A
    /// fragment costs nothing beside its bytes.
    pub received: usize,
    /// Waiting to be written, the owed pong included.
    pub queued: usize,
    /// The contexts and windows of permessage-deflate, both directions.
    pub compression: usize,
    /// The session itself, and what its owner said to keep for the peer beside it
    /// ([`Session::set_beside`](crate::Session::set_beside)): the header fields of the handshake.
    pub fixed: usize,
}

impl Account {
    /// The sum, which is what the budgets are about.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.received
            .saturating_add(self.queued)
            .saturating_add(self.compression)
            .saturating_add(self.fixed)
    }
}

/// A session held more for its peer than a budget allows, and was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetExceeded {
    /// What was held, by kind: the largest tells what crossed the budget.
    pub account: Account,
    /// The budget, in bytes.
    pub max: usize,
    /// Whether it is the budget that sessions share
    /// ([`Config::shared_budget`](crate::Config::shared_budget)), and not the session's own.
    pub is_shared: bool,
}

impl BudgetExceeded {
    /// For an owner that charges a shared budget itself, during a handshake for example.
    #[must_use]
    pub const fn shared(account: Account, max: usize) -> Self {
        Self { account, max, is_shared: true }
    }

    /// The code of the close frame: 1009 when most of what is held is the peer's message, else 1008.
    /// For a shared budget, which the peer need not have used up, 1013 where `iana` codes are
    /// allowed, else 1008.
    #[must_use]
    pub fn close_code(&self, iana: bool) -> CloseCode {
        let Account { received, queued, compression, fixed } = self.account;
        match (self.is_shared, iana) {
            (true, true) => CloseCode::TRY_AGAIN_LATER,
            (true, false) => CloseCode::POLICY_VIOLATION,
            (false, _) if received >= queued.max(compression).max(fixed) => {
                CloseCode::MESSAGE_TOO_BIG
            }
            (false, _) => CloseCode::POLICY_VIOLATION,
        }
    }
}

impl fmt::Display for BudgetExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_shared {
            return write!(f, "all connections together hold the allowed {} bytes", self.max);
        }
        let (held, max) = (self.account.total(), self.max);
        write!(f, "{held} bytes held for one connection, at most {max} are allowed")
    }
}

impl std::error::Error for BudgetExceeded {}
