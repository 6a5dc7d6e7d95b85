//! The task that keeps a server's connection alive.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Method, Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use ws_h2_upgrade::join_cookies;
use ws_io::Runtime;

use super::backlog::Backlog;
use super::request::Exchange;
use crate::adoption::Adoption;
use crate::alarm::{Alarm, after};
use crate::config::ServerConfig;
use crate::error::{Error, Fate};
use crate::hub::{Hub, Shutdown, StreamCore};
use crate::intake::Intake;
use crate::paced::{Paced, Turn};
use crate::reset_budget::TooManyResets;

pub(super) struct Driver<IO, R: Runtime> {
    pub(super) connection: h2::server::Connection<Paced<IO>, Bytes>,
    pub(super) turn: Turn<IO>,
    pub(super) intake: Intake,
    pub(super) hub: Arc<Hub>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) runtime: R,
    pub(super) config: ServerConfig,
    pub(super) alarm: Alarm<R>,
    pub(super) phase: Phase,
    /// Why we abort the connection, if it is the peer's fault.
    pub(super) verdict: Option<Error>,
}

/// What the connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Streams are open.
    Busy,
    /// The first or the next stream; at that time the wait is over.
    Idle(Instant),
    /// The end of the streams that live after our GOAWAY.
    Draining,
    /// The last bytes to be written, if no stream has crossed our GOAWAY (RFC 9113 §6.8); at that time
    /// the socket is dropped.
    Ending(Instant),
    /// The same for a connection that we abort, whatever is open on it.
    Aborting(Instant),
}

impl<IO: AsyncRead + AsyncWrite + Unpin, R: Runtime> Driver<IO, R> {
    /// Ready when the connection is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            let now = self.runtime.now();
            self.heed(now);
            self.turn.begin();
            if let Poll::Ready(result) = self.poll_connection(cx, now) {
                // Streams get what came together with the end.
                drop(self.intake.drain(now));
                return self.end(result);
            }
            if self.take_from_streams(now).is_err() {
                self.end_flood(now);
                // Nobody wakes us to write the end.
                continue;
            }
            if self.next_phase(now) || self.intake.has_dropped() && !self.turn.is_full() {
                continue;
            }
            if let Poll::Ready(now) = self.poll_timer(cx, now) {
                if matches!(self.phase, Phase::Ending(at) | Phase::Aborting(at) if at <= now) {
                    return self.end(Err(Error::Timeout));
                }
                continue;
            }
            if self.hub.settle(cx) {
                match self.turn.poll_end(cx, &self.hub.taken) {
                    Poll::Ready(Err(error)) => return self.end(Err(Error::from_io(error))),
                    // Now there is room for what they had to say.
                    Poll::Ready(Ok(())) if self.intake.has_dropped() => {}
                    _ => return Poll::Pending,
                }
            }
        }
    }

    /// The connection is over with this result, unless we have aborted it for another reason.
    fn end(&mut self, result: Result<(), Error>) -> Poll<Result<(), Error>> {
        Poll::Ready(self.verdict.take().map_or(result, Err))
    }

    fn take_from_streams(&mut self, now: Instant) -> Result<(), TooManyResets> {
        if self.intake.has_dropped() && !self.turn.is_full() {
            self.intake.reset_dropped(now)?;
        }
        self.intake.drain(now)
    }

    /// Does what the users of the connection asked for.
    fn heed(&mut self, now: Instant) {
        match self.hub.news().shutdown {
            Shutdown::Abrupt => self.abort(Reason::NO_ERROR, now),
            Shutdown::Graceful if matches!(self.phase, Phase::Busy | Phase::Idle(_)) => {
                self.connection.graceful_shutdown();
                self.phase = Phase::Draining;
            }
            _ => {}
        }
    }

    fn abort(&mut self, reason: Reason, now: Instant) {
        if !matches!(self.phase, Phase::Aborting(_)) {
            let cause = self.verdict.as_ref().map_or(Fate::Closed, Fate::from);
            self.hub.announce(|status| status.cause = Some(cause));
            self.connection.abrupt_shutdown(reason);
            self.phase = Phase::Aborting(after(now, self.config.linger));
        }
    }

    fn end_flood(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Aborting(_)) {
            // Streams learn it as a reset of their own.
            return;
        }
        tracing::debug!("too many resets: closing the connection");
        let code = Reason::ENHANCE_YOUR_CALM;
        self.verdict.get_or_insert(Error::ProtocolError { code: code.into() });
        self.abort(code, now);
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<(), Error>> {
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, responder)))) => {
                    if self.take_request(request, responder, now).is_err() {
                        self.end_flood(now);
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn take_request(
        &mut self,
        request: Request<RecvStream>,
        responder: SendResponse<Bytes>,
        now: Instant,
    ) -> Result<(), TooManyResets> {
        let (head, mut recv) = request.into_parts();
        let mut head = Request::from_parts(head, ());
        let is_tunnel = head.method() == Method::CONNECT;
        let protocol = head.extensions().get::<h2::ext::Protocol>();
        let is_websocket =
            protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"));
        let core = StreamCore::new(&self.hub);
        let credit = recv.flow_control().clone();
        let adoption = Adoption { core: Arc::clone(&core), recv, slot: None, is_tunnel };
        self.intake.adopt(adoption, now);
        join_cookies(head.headers_mut());
        let count = head.headers().len();
        let exchange = Exchange::new(head, responder, core, credit);
        let has_room = if self.intake.len() > self.config.kept_streams() {
            !exchange.reject()
        } else if count > self.config.max_headers {
            exchange.refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
            true
        } else if is_tunnel && !is_websocket {
            // A plain CONNECT, or a protocol we do not speak (RFC 9220 §3).
            exchange.refuse(StatusCode::NOT_IMPLEMENTED);
            true
        } else if is_tunnel {
            self.backlog.push(exchange, Exchange::into_websocket)
        } else {
            self.backlog.push(exchange, Exchange::into_http)
        };
        if has_room { Ok(()) } else { self.intake.count_reset(now, now) }
    }

    /// Goes on to the next phase; whether there was one to go on to.
    fn next_phase(&mut self, now: Instant) -> bool {
        self.phase = match self.phase {
            Phase::Busy if self.intake.is_empty() => {
                Phase::Idle(after(now, self.config.idle_timeout))
            }
            Phase::Idle(_) if !self.intake.is_empty() => Phase::Busy,
            Phase::Idle(at) if at <= now => {
                self.connection.graceful_shutdown();
                Phase::Draining
            }
            Phase::Draining if self.intake.is_empty() => {
                Phase::Ending(after(now, self.config.linger))
            }
            Phase::Ending(_) if !self.intake.is_empty() => Phase::Draining,
            _ => return false,
        };
        true
    }

    /// Ready, with the time, when a deadline has passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Instant> {
        let phase = match self.phase {
            Phase::Idle(at) | Phase::Ending(at) | Phase::Aborting(at) => Some(at),
            Phase::Busy | Phase::Draining => None,
        };
        let Some(deadline) = phase.into_iter().chain(self.intake.deadline()).min() else {
            return Poll::Pending;
        };
        if deadline > now && self.alarm.poll(cx, &self.runtime, deadline).is_pending() {
            return Poll::Pending;
        }
        let now = self.runtime.now().max(deadline);
        self.intake.expire(now);
        Poll::Ready(now)
    }
}
