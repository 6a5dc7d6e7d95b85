//! The task that keeps a client's connection alive.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite};
use ws_io::Runtime;

use crate::alarm::{Alarm, after};
use crate::error::{Error, Fate};
use crate::hub::{Hub, Shutdown};
use crate::intake::Intake;
use crate::paced::{Paced, Turn};

pub(super) struct Driver<IO: AsyncRead + AsyncWrite + Unpin, R: Runtime> {
    pub(super) connection: h2::client::Connection<Paced<IO>, Bytes>,
    pub(super) turn: Turn<IO>,
    pub(super) ping: Option<PingPong>,
    /// While the answer to a PING is awaited. SETTINGS come before that to the first.
    pub(super) is_pinging: bool,
    pub(super) intake: Intake,
    pub(super) hub: Arc<Hub>,
    pub(super) runtime: R,
    pub(super) linger: Duration,
    pub(super) alarm: Alarm<R>,
    /// When the socket is dropped, once all is done but the last bytes.
    pub(super) ending: Option<Instant>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin, R: Runtime> Driver<IO, R> {
    /// Ready when the connection is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fate> {
        loop {
            let now = self.runtime.now();
            let news = self.hub.news();
            for adoption in news.adoptions {
                self.intake.adopt(adoption, now);
            }
            if news.shutdown == Shutdown::Abrupt {
                return Poll::Ready(Fate::Closed);
            }
            self.turn.begin();
            if let Poll::Ready(result) = Pin::new(&mut self.connection).poll(cx) {
                // Streams get what came together with the end.
                drop(self.intake.drain(now));
                let fate = result.map_err(Error::from);
                return Poll::Ready(
                    fate.map_or_else(|error| Fate::from(&error), |()| Fate::Closed),
                );
            }
            self.poll_ping(cx, news.pings);
            // No budget of resets was set, so none is exceeded.
            if self.intake.has_dropped() && !self.turn.is_full() {
                drop(self.intake.reset_dropped(now));
            }
            drop(self.intake.drain(now));
            if self.intake.has_dropped() && !self.turn.is_full() {
                continue;
            }
            // The peer may have enabled the protocol, raised its limit or sent GOAWAY.
            self.hub.nudge();
            let status = self.hub.status();
            if status.is_closing && status.open == 0 && self.ending.is_none() {
                self.ending = Some(after(now, self.linger));
            }
            if self.poll_timer(cx, now).is_ready() {
                if self.ending.is_some_and(|at| at <= self.runtime.now()) {
                    return Poll::Ready(Fate::Closed);
                }
                continue;
            }
            if self.hub.settle(cx) {
                match self.turn.poll_end(cx, &self.hub.taken) {
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Fate::from(&Error::from_io(error)));
                    }
                    // Now there is room for what they had to say.
                    Poll::Ready(Ok(())) if self.intake.has_dropped() => {}
                    _ => return Poll::Pending,
                }
            }
        }
    }

    fn poll_ping(&mut self, cx: &mut Context<'_>, is_wanted: bool) {
        let Some(ping) = &mut self.ping else { return };
        if self.is_pinging && ping.poll_pong(cx).is_ready() {
            self.is_pinging = false;
            self.hub.announce(|status| status.is_settled = true);
        }
        // One that is on its way already will do. `h2` wakes this task to send it.
        if is_wanted && !self.is_pinging {
            self.is_pinging =
                ping.send_ping(Ping::opaque()).is_ok() && ping.poll_pong(cx).is_pending();
        }
    }

    /// Ready when a deadline has passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(deadline) = self.ending.into_iter().chain(self.intake.deadline()).min() else {
            return Poll::Pending;
        };
        if deadline > now && self.alarm.poll(cx, &self.runtime, deadline).is_pending() {
            return Poll::Pending;
        }
        self.intake.expire(self.runtime.now().max(deadline));
        Poll::Ready(())
    }
}
