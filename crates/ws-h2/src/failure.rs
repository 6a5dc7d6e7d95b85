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

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &'static str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, text)
    }

    #[test]
    fn the_first_failure_is_told_of_errors_of_its_kind_and_no_others() {
        let failure = Failure::default();
        assert!(failure.keep(io::ErrorKind::BrokenPipe.into()).get_ref().is_none());
        let told = failure.keep(io::Error::new(io::ErrorKind::InvalidData, Chained));
        assert_eq!((told.kind(), told.to_string()), (io::ErrorKind::InvalidData, "outer".into()));
        drop(failure.keep(why("a later one")));
        let explained = failure.explain(Error::Io(why("a text")));
        let socket = explained.socket_error().and_then(io::Error::get_ref);
        assert!(socket.is_some_and(|error| error.is::<Chained>()), "{explained:?}");
        let Error::Io(shown) = explained else { panic!("it is one still") };
        assert_eq!((shown.kind(), shown.to_string()), (io::ErrorKind::InvalidData, "outer".into()));
        let source = StdError::source(&shown).map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("inner"));
        let other = failure.explain(Error::Io(io::Error::new(io::ErrorKind::TimedOut, "late")));
        assert_eq!(other.socket_error().map(ToString::to_string).as_deref(), Some("late"));
    }

    #[derive(Debug)]
    struct Chained;

    impl fmt::Display for Chained {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }

    impl StdError for Chained {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&Inner)
        }
    }

    #[derive(Debug)]
    struct Inner;

    impl fmt::Display for Inner {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("inner")
        }
    }

    impl StdError for Inner {}
}
