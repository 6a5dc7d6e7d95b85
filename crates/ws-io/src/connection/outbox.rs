//! What other tasks want to send, and what they are told of it.

use std::task::Context;

use super::Connection;
use crate::due::{Call, Due};
use crate::sender::Outbox;
use crate::{Runtime, Sender, Transport};

impl<T: Transport, R: Runtime> Connection<T, R> {
    /// A handle to the queue of what other tasks want to send.
    pub(crate) fn sender(&mut self, capacity: usize) -> Sender {
        let Self { session, outbox, .. } = self;
        let new = || Box::new(Outbox::new(capacity, session.config().memory_budget));
        let outbox = outbox.get_or_insert_with(new);
        if session.is_finished() {
            outbox.close();
        }
        outbox.sender()
    }

    /// A handle to that queue, if there is one, and how many bytes one may hold.
    pub(crate) fn queue(&self) -> (Option<Sender>, usize) {
        let sender = self.outbox.as_ref().map(|outbox| outbox.sender());
        (sender, self.session.config().memory_budget)
    }

    /// Takes a queue that others made, as its own.
    pub(crate) fn adopt(&mut self, outbox: Box<Outbox>) {
        self.outbox.get_or_insert(outbox);
    }

    /// Takes what other tasks want to send, while there is room.
    pub(super) fn poll_outbox(&mut self, cx: &mut Context<'_>) {
        if let Some(outbox) = &mut self.outbox {
            outbox.poll_drain(cx, &mut self.session, self.written);
            // It has not seen the end of its queue then, and is woken by nobody.
            self.outbox_waits = !self.session.is_writable();
            if !self.is_split {
                outbox.due().make();
            }
        }
    }

    /// What is to be told to other tasks, when who has locked this connection has let go of it.
    pub(crate) fn due(&mut self) -> Due {
        let Some(outbox) = &mut self.outbox else { return Due::default() };
        let mut due = outbox.due();
        if self.session.is_finished() {
            due.extend(self.outbox.take().map(Call::Close));
        }
        due
    }
}
