//! What other tasks learn of a connection, put off until nobody holds its lock: who is woken may run
//! at once, in the same call, and use the other half of it.

use std::mem;
use std::task::Waker;

use crate::sender::{Acknowledged, Outbox};

/// One of them.
pub(crate) enum Call {
    Wake(Waker),
    Acknowledge(Acknowledged),
    /// Whoever sends finds the connection closed.
    Close(Box<Outbox>),
}

/// Those of one turn, in their order. One, which is the rule, needs no memory.
#[derive(Default)]
#[must_use = "tasks wait for these calls"]
pub(crate) struct Due {
    first: Option<Call>,
    others: Vec<Call>,
}

impl Due {
    pub(crate) fn push(&mut self, call: Call) {
        if self.first.is_none() {
            self.first = Some(call);
        } else {
            self.others.push(call);
        }
    }

    pub(crate) fn extend(&mut self, calls: impl IntoIterator<Item = Call>) {
        calls.into_iter().for_each(|call| self.push(call));
    }

    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }

    pub(crate) fn make(self) {
        self.first.into_iter().chain(self.others).for_each(Call::make);
    }
}

impl Call {
    pub(crate) fn make(self) {
        match self {
            Self::Wake(waker) => waker.wake(),
            Self::Acknowledge(acknowledged) => acknowledged.tell(),
            Self::Close(outbox) => drop(outbox),
        }
    }
}
