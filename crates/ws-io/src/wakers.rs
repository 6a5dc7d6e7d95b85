//! The wakers of the two halves of a connection, behind one.
//!
//! A waker may run its task at once, in the same call, and the halves lock the connection: a thread that
//! holds that lock wakes them when it has given it back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use crate::side::Side;

/// One waker for both halves.
#[derive(Default)]
pub(crate) struct Wakers {
    reader: Mutex<Option<Waker>>,
    writer: Mutex<Option<Waker>>,
    /// The [`mark`] of the thread that holds the lock of the connection. Only that thread can find its own
    /// here, so nothing has to be ordered.
    holder: AtomicUsize,
    /// Whether that thread is to wake both when it gives the lock back.
    is_due: AtomicBool,
}

impl Wakers {
    /// This thread has locked the connection: what wakes the halves from here on is put off.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.holder.store(mark(), Ordering::Relaxed);
        Held(self)
    }

    fn slot(&self, side: Side) -> MutexGuard<'_, Option<Waker>> {
        match side {
            Side::Receiving => &self.reader,
            Side::Sending => &self.writer,
        }
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn register(&self, side: Side, waker: &Waker) {
        let mut slot = self.slot(side);
        if slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return;
        }
        let known = slot.replace(waker.clone());
        drop(slot);
        // Only now: it may be the last that keeps a task, and that task a half of this connection.
        drop(known);
    }

    pub(crate) fn wake_other(&self, side: Side) {
        if !self.put_off() {
            self.wake_one(side.other());
        }
    }

    pub(crate) fn wake_both(&self) {
        if !self.put_off() {
            self.wake_one(Side::Receiving);
            self.wake_one(Side::Sending);
        }
    }

    /// Whether it is this thread that holds the lock of the connection; then it wakes both when it gives
    /// that back.
    pub(crate) fn put_off(&self) -> bool {
        let is_held = self.is_held_here();
        if is_held {
            self.is_due.store(true, Ordering::Relaxed);
        }
        is_held
    }

    /// Whether it is this thread that holds the lock of the connection.
    pub(crate) fn is_held_here(&self) -> bool {
        self.holder.load(Ordering::Relaxed) == mark()
    }

    fn wake_one(&self, side: Side) {
        // Taken out first: a waker may run the task at once, which registers again.
        let waker = self.slot(side).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_both();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_both();
    }
}

/// As long as it lives, this thread holds the lock of the connection.
pub(crate) struct Held<'a>(&'a Wakers);

impl Held<'_> {
    /// The lock is given back after this. Whether [both](Wakers::wake_both) are to be woken then.
    pub(crate) fn release(self) -> bool {
        // Only this thread has set it.
        let is_due = self.0.is_due.load(Ordering::Relaxed);
        if is_due {
            self.0.is_due.store(false, Ordering::Relaxed);
        }
        is_due
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.holder.store(NOBODY, Ordering::Relaxed);
    }
}

/// A number that no other thread has at the same time.
fn mark() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

/// The [`mark`] of no thread.
const NOBODY: usize = 0;
