//! The connections of a client that carry many WebSockets, by where they go, and what is known of
//! the servers there.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ws_io::WsUri;

use crate::client::shelf::Shelf;

/// Shared by the clones of a client.
#[derive(Default)]
pub(super) struct Pool {
    origins: Mutex<HashMap<Origin, Arc<Lines>>>,
}

/// RFC 9110 §4.3.1: what a connection is good for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    is_secure: bool,
    host: String,
    port: u16,
}

/// All there is to one origin.
#[derive(Default)]
pub(super) struct Lines {
    #[cfg(feature = "h2")]
    pub(super) h2: Shelf<ws_h2::Client>,
    #[cfg(feature = "h3")]
    pub(super) h3: Shelf<ws_h3::Client>,
    pub(super) memory: Memory,
}

impl Pool {
    /// The connections to the origin of `uri`.
    pub(super) fn lines(&self, uri: &WsUri) -> Arc<Lines> {
        let origin =
            Origin { is_secure: uri.is_secure(), host: uri.host().to_owned(), port: uri.port() };
        let mut origins = lock(&self.origins);
        if origins.len() >= MOST_ORIGINS && !origins.contains_key(&origin) {
            origins.retain(|_, lines| Arc::strong_count(lines) > 1 || lines.is_in_use());
        }
        Arc::clone(origins.entry(origin).or_default())
    }
}

impl Lines {
    fn is_in_use(&self) -> bool {
        #[cfg(feature = "h2")]
        let is_in_use = self.h2.is_in_use();
        #[cfg(not(feature = "h2"))]
        let is_in_use = false;
        #[cfg(feature = "h3")]
        let is_in_use = is_in_use || self.h3.is_in_use();
        is_in_use
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("origins", &lock(&self.origins).len()).finish()
    }
}

/// What a server was found unable to do.
#[derive(Default)]
pub(super) struct Memory {
    #[cfg(feature = "h2")]
    pub(super) no_h2: Note,
    #[cfg(feature = "h3")]
    pub(super) no_h3: Note,
}

/// When something was noted last.
#[derive(Default)]
pub(super) struct Note(Mutex<Option<Instant>>);

impl Note {
    pub(super) fn note(&self, now: Instant) {
        *lock(&self.0) = Some(now);
    }

    /// Whether it was noted, and not too long ago to hold.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        lock(&self.0).is_some_and(|at| now.saturating_duration_since(at) < REMEMBERED)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a failing is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Origins known before those without a live connection are forgotten.
const MOST_ORIGINS: usize = 256;
