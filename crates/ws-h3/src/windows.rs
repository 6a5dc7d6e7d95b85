//! A window of a connection that its WebSockets cannot use up.
//!
//! What nobody reads stays in QUIC and takes from the window of the connection, which the others need.
//! So that window grows with the WebSockets that are open, by what each of them can take of it. It does
//! not shrink again.

use std::sync::{Arc, Mutex, PoisonError};

use quinn::VarInt;

use crate::link::Link;
use crate::tls::QuicOptions;

/// The windows of a connection, made by [`QuicOptions::windows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Of one stream, in bytes, as the others.
    stream: u32,
    /// Of the connection, while few WebSockets are open on it.
    least: u32,
    /// Of the connection, however many there are.
    most: u32,
}

impl Windows {
    pub(crate) fn new(options: &QuicOptions) -> Self {
        Self {
            stream: options.stream_window,
            least: options.connection_window,
            most: options.max_connection_window.max(options.connection_window),
        }
    }

    /// That of a connection with so many WebSockets: when nobody reads any of them, half of the least is
    /// still left.
    fn connection(&self, open: usize) -> u64 {
        let (least, stream) = (u64::from(self.least), u64::from(self.stream));
        let covered = least / 2 / stream.max(1);
        let others = (open as u64).saturating_sub(covered).next_multiple_of(STEP);
        least.saturating_add(others.saturating_mul(stream)).min(self.most.into())
    }
}

/// How far the window of a connection has grown.
#[derive(Debug)]
pub(crate) struct Growth {
    windows: Option<Windows>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    /// For how many the window is: the most there have been.
    provided: usize,
}

impl Growth {
    pub(crate) fn new(windows: Option<Windows>) -> Self {
        Self { windows, state: Mutex::default() }
    }
}

impl State {
    /// The window to ask for, when what is open needs more than there is.
    ///
    /// Never a smaller one. Credit cannot be taken back (RFC 9000 §4.1): quinn keeps what a smaller window
    /// takes as a debt of its own, to which growing again adds credit, so that whoever opens and ends
    /// WebSockets in turns would gain some each time.
    fn grow(&mut self, windows: Windows) -> Option<u64> {
        if self.open <= self.provided {
            return None;
        }
        let before = windows.connection(self.provided);
        self.provided = self.open;
        let now = windows.connection(self.open);
        (now != before).then_some(now)
    }
}

/// A WebSocket that is open on a connection.
pub(crate) struct Share(Arc<Link>);

impl Share {
    pub(crate) fn new(link: &Arc<Link>) -> Self {
        link.resize(|state| state.open += 1);
        Self(Arc::clone(link))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.resize(|state| state.open -= 1);
    }
}

impl Link {
    /// Fits the window to the WebSockets there are after `change`.
    fn resize(&self, change: impl FnOnce(&mut State)) {
        let Some(windows) = self.growth.windows else { return };
        let mut state = self.growth.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if let Some(now) = state.grow(windows)
            && let Ok(now) = VarInt::from_u64(now)
        {
            self.connection.set_receive_window(now);
        }
    }
}

/// By how many streams a window grows at a time.
const STEP: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_of_the_connection_has_room_for_all_that_is_not_read() {
        let options = QuicOptions::default();
        let windows = Windows::new(&options);
        let (least, stream) = (4 * 1024 * 1024, 256 * 1024);
        assert_eq!(windows.connection(0), least);
        assert_eq!(windows.connection(8), least, "half of it is left to others");
        for open in 0..=256 {
            let window = windows.connection(open);
            let unread = open as u64 * stream;
            assert!(window >= unread + least / 2, "{open}");
            assert!(window <= unread + least + STEP * stream, "{open}");
        }
        assert_eq!(windows.connection(1 << 20), options.max_connection_window.into());
        let mut narrow = options;
        narrow.max_connection_window = 0;
        assert_eq!(Windows::new(&narrow).connection(256), least);
        narrow.stream_window = 0;
        assert_eq!(Windows::new(&narrow).connection(256), least);
    }

    #[test]
    fn websockets_that_come_and_go_ask_for_a_window_once() {
        let windows = Windows::new(&QuicOptions::default());
        let mut state = State::default();
        let mut asked = Vec::new();
        for open in (0..=9).chain((3..9).rev()).chain(4..=9).chain((3..9).rev()).chain(4..=9) {
            state.open = open;
            asked.extend(state.grow(windows));
        }
        assert_eq!(asked, [windows.connection(9)]);
        state.open = 100;
        assert_eq!(state.grow(windows), Some(windows.connection(100)));
    }
}
