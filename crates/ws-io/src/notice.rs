//! What tells a connection from outside that it is time to end.

use std::task::Waker;

use ws_session::{CloseCode, CloseFrame};

/// What a connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between an orderly end and none")]
pub enum Notice {
    /// Go on.
    Stay,
    /// Say [goodbye](NoticeBoard::goodbye), once.
    Leave,
    /// Be over: the time for goodbyes is up.
    Cut,
}

/// Where a connection looks to learn that it is time to end: how a server ends all of its own. See
/// [`WebSocket::watch`](crate::WebSocket::watch).
pub trait NoticeBoard: Send + Sync {
    /// What the connection is to do; only ever goes forward.
    fn notice(&self) -> Notice;

    /// How the goodbye goes; asked when it is time to [leave](Notice::Leave). By default it is 1001 (going
    /// away, RFC 6455 §7.4.1), and so is one that the session must not send, as 1012 where
    /// [`iana_close_codes`](ws_session::Config::iana_close_codes) is off.
    fn goodbye(&self) -> CloseFrame {
        CloseCode::GOING_AWAY.into()
    }

    /// Has this waker, instead of the one before, woken when the notice changes. A connection calls
    /// it when another task than before begins to wait, not for each time that it waits.
    fn wake_on_change(&self, waker: &Waker);
}
