//! What a socket failed with, for who opens WebSockets on it: `h2` makes a text of it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use crate::error::Error;

/// The first failure of a socket that says more than its kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<OnceLock<io::Error>>);

impl Failure {
    /// Keeps the error, and gives out what is left of it for `h2`.
    pub(crate) fn keep(&self, error: io::Error) -> io::Error {
        let Some(cause) = error.get_ref() else { return error };
        let told = io::Error::new(error.kind(), cause.to_string());
        // What comes after it follows from it.
        let _first = self.0.set(error);
        told
    }

    /// The error as the socket has told it, if it is that one.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match (error, self.0.get()) {
            (Error::Io(error), Some(failure)) if error.kind() == failure.kind() => {
                Error::Io(io::Error::new(failure.kind(), Known(Arc::clone(&self.0))))
            }
            (error, _) => error,
        }
    }

    /// What the socket has told, of an error that was [explained](Self::explain).
    pub(crate) fn told(error: &io::Error) -> &io::Error {
        let known = error.get_ref().and_then(|known| known.downcast_ref::<Known>());
        known.and_then(|known| known.0.get()).unwrap_or(error)
    }
}

/// Stands for an error that others are told as well.
struct Known(Arc<OnceLock<io::Error>>);

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.get(), f)
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.get().map_or(Ok(()), |error| error.fmt(f))
    }
}

impl StdError for Known {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.get()?.source()
    }
}
