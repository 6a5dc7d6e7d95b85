//! What a half of a connection answers while this thread has locked it for the other half.
//!
//! What the connection wakes or drops may run a task at once, in the middle of a poll of the one half, and
//! that task may own the other. It can be told what was known before, and be given what it can use later;
//! it must not wait for the lock.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use ws_session::Outcome;

use crate::sender::Outbox;
use crate::{Runtime, Sender, Transport, WebSocket};

/// Beside the lock of the connection, which is taken first where both are.
#[derive(Default)]
pub(crate) struct Aside {
    outcome: OnceLock<Box<Outcome>>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Of the queue that the connection has, or is about to have.
    sender: Option<Sender>,
    /// The other end of it, until the connection has it.
    outbox: Option<Box<Outbox>>,
    /// How many bytes it may hold.
    budget: usize,
}

impl Aside {
    /// The same for a connection that may have a queue already.
    pub(crate) fn of<T: Transport, R: Runtime>(websocket: &WebSocket<T, R>) -> Self {
        let (sender, budget) = websocket.queue();
        let queue = Queue { sender, outbox: None, budget };
        Self { outcome: OnceLock::new(), queue: Mutex::new(queue) }
    }

    /// How the connection has ended, as far as that was [noted](Self::note).
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome.get().map(|outcome| Outcome::clone(outcome))
    }

    /// Notes how a connection has ended.
    pub(crate) fn note(&self, outcome: Option<&Outcome>) {
        if let Some(outcome) = outcome {
            self.outcome.get_or_init(|| Box::new(outcome.clone()));
        }
    }

    /// Notes that the connection has this queue.
    pub(crate) fn keep(&self, sender: &Sender) {
        self.queue().sender.get_or_insert_with(|| sender.clone());
    }

    /// A handle to the queue of the connection, which is made if there is none, and [given](Self::take_outbox)
    /// to the connection afterwards.
    pub(crate) fn sender(&self, capacity: usize) -> Sender {
        let Queue { sender, outbox, budget } = &mut *self.queue();
        let made = || outbox.insert(Box::new(Outbox::new(capacity, *budget))).sender();
        sender.get_or_insert_with(made).clone()
    }

    /// The end of a queue that the connection does not have yet.
    pub(crate) fn take_outbox(&self) -> Option<Box<Outbox>> {
        self.queue().outbox.take()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
