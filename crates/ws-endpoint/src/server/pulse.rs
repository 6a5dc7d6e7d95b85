//! A timer that is always the next one.

use std::task::Context;
use std::time::Duration;

use ws_io::{Runtime, Timer};

use crate::deadline::after;

/// A timer of the server that is nearer than those of its connections.
///
/// A runtime that is given a timer nearer than all it has wakes itself up to look at it, which takes a
/// system call. Where nothing else is waited for, that would be one for each connection.
pub(crate) struct Pulse<R: Runtime> {
    timer: Option<R::Timer>,
}

impl<R: Runtime> Pulse<R> {
    pub(crate) const fn new() -> Self {
        Self { timer: None }
    }

    /// Keeps it going while there are connections, and sees to it that the task is woken for that.
    pub(crate) fn keep(&mut self, cx: &mut Context<'_>, runtime: &R, is_wanted: impl Fn() -> bool) {
        loop {
            let timer = match &mut self.timer {
                Some(timer) => timer,
                none if is_wanted() => none.insert(runtime.timer(after(runtime, PERIOD))),
                _ => return,
            };
            if timer.poll_expired(cx).is_pending() {
                return;
            }
            self.timer = None;
        }
    }
}

/// Less than the nearest deadline that a connection has by default: the end of a stream or of a
/// transport may take two seconds.
const PERIOD: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::fake::Fake;

    #[test]
    fn it_goes_on_while_there_are_connections_and_rests_without() {
        let mut cx = Context::from_waker(Waker::noop());
        let (fake, mut pulse) = (Fake::new(), Pulse::<Fake>::new());
        pulse.keep(&mut cx, &fake, || false);
        assert!(pulse.timer.is_none(), "nobody is there");
        for _ in 0..3 {
            pulse.keep(&mut cx, &fake, || true);
            let timer = pulse.timer.as_mut().expect("it was armed");
            assert!(timer.poll_expired(&mut cx).is_pending());
            fake.advance(PERIOD);
            assert!(timer.poll_expired(&mut cx).is_ready());
        }
        pulse.keep(&mut cx, &fake, || false);
        assert!(pulse.timer.is_none(), "it would wake a server that has nothing to do");
    }
}
