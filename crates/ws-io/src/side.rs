//! Which side of a connection a task has hold of, where two tasks share one.

/// Each may be with a task of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// That of the [`Reader`](crate::Reader), or of a stream.
    Receiving,
    /// That of the [`Writer`](crate::Writer), or of a sink.
    Sending,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Receiving => Self::Sending,
            Self::Sending => Self::Receiving,
        }
    }
}
