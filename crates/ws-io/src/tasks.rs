//! Two tasks that share a connection as a stream and a sink, behind a lock that is not ours:
//! `StreamExt::split` of `futures`, or a library that takes any `Stream + Sink`.
//!
//! The transport and the timer know one waker each, that of who polled last. When the two sides
//! are polled by different tasks they are given one that wakes both, so that neither loses a wake-up
//! to the other. As long as one task does both, which is the rule, its own waker goes through.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::side::Side;

/// The tasks that wait.
#[derive(Default)]
pub(crate) struct Tasks {
    stream: Option<Waker>,
    sink: Option<Waker>,
    both: Option<Arc<Both>>,
}

impl Tasks {
    /// What wakes this side, which is polled with `waker`, and the other; `None` if that is the same
    /// task, or none.
    pub(crate) fn both(&mut self, side: Side, waker: &Waker) -> Option<Waker> {
        let other = match side {
            Side::Receiving => &self.sink,
            Side::Sending => &self.stream,
        };
        let other = other.as_ref().filter(|other| !other.will_wake(waker))?;
        let (stream, sink) = match side {
            Side::Receiving => (waker, other),
            Side::Sending => (other, waker),
        };
        let both = match &self.both {
            Some(both) if both.stream.will_wake(stream) && both.sink.will_wake(sink) => both,
            _ => self.both.insert(Arc::new(Both { stream: stream.clone(), sink: sink.clone() })),
        };
        Some(Arc::clone(both).into())
    }

    /// Takes note that this side waits.
    pub(crate) fn wait(&mut self, side: Side, waker: &Waker) {
        let known = self.slot(side);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Takes note that this side waits no more, and gives out its waker.
    pub(crate) fn take(&mut self, side: Side) -> Option<Waker> {
        self.slot(side).take()
    }

    fn slot(&mut self, side: Side) -> &mut Option<Waker> {
        match side {
            Side::Receiving => &mut self.stream,
            Side::Sending => &mut self.sink,
        }
    }
}

struct Both {
    stream: Waker,
    sink: Waker,
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stream.wake_by_ref();
        self.sink.wake_by_ref();
    }
}
