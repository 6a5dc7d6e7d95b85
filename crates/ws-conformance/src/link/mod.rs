//! An established WebSocket between the suite and the peer, seen from the suite.
//!
//! A link sends whatever a case asks for, right or wrong, and reads what the peer sends with a
//! strict eye: each breach of the protocol is written down, none stops the reading.

mod event;
mod receive;
mod send;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

pub(crate) use event::{Event, Kind, PeerClose};
pub(crate) use receive::{Dissection, Next};
pub(crate) use send::{WriteMode, fragmented};

use crate::arena::Memory;
use crate::log::Log;
use crate::wire::deflate::{Agreement, Deflater, Inflater};
use crate::wire::frame::Frame;
use crate::wire::http::Head;
use crate::wire::stream::{End, Wire};

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Link {
    wire: Wire,
    log: Log,
    suite_is_client: bool,
    /// The head of the peer's half of the handshake.
    pub(crate) handshake: Head,
    deflate: Option<Deflate>,
    partial: Option<receive::Partial>,
    events: Vec<Event>,
    breaches: Vec<String>,
    peer_close: Option<PeerClose>,
    suite_close_sent: bool,
    /// The code of the first close frame that the suite sent with one.
    own_close_code: Option<u16>,
    suite_closed_first: bool,
    /// Whether the peer's close frame is answered by itself.
    pub(crate) answers_close: bool,
    /// How long one write may stall.
    pub(crate) write_limit: Duration,
    keys: Vec<[u8; 4]>,
    /// Where the first keys are compared with those of other connections.
    pub(crate) memory: Option<Arc<Memory>>,
    /// Payloads of the pings and pongs that were sent, to which a pong of the peer may be owed.
    controls: HashSet<Vec<u8>>,
    /// What the peer's compressed messages were made of, where a case wants to know.
    pub(crate) dissection: Option<receive::Dissection>,
    broken_write: bool,
    /// Whether a frame of ours is begun, in which no other may be sent.
    is_inside_frame: bool,
    /// What is to be sent once that frame is complete.
    owed: Vec<Frame>,
    /// Whether our direction of the stream has ended.
    has_ended_sending: bool,
}

#[derive(Debug)]
struct Deflate {
    agreement: Agreement,
    outbound: Deflater,
    inbound: Inflater,
}

impl Link {
    pub(crate) fn new(wire: Wire, log: Log, suite_is_client: bool, handshake: Head) -> Self {
        Self {
            wire,
            log,
            suite_is_client,
            handshake,
            deflate: None,
            partial: None,
            events: Vec::new(),
            breaches: Vec::new(),
            peer_close: None,
            suite_close_sent: false,
            own_close_code: None,
            suite_closed_first: false,
            answers_close: true,
            write_limit: Duration::from_secs(30),
            keys: Vec::new(),
            memory: None,
            controls: HashSet::new(),
            dissection: None,
            broken_write: false,
            is_inside_frame: false,
            owed: Vec::new(),
            has_ended_sending: false,
        }
    }

    /// Compresses from now on as agreed.
    pub(crate) fn set_deflate(&mut self, agreement: Agreement, level: u32) {
        let (server, client) = (
            (agreement.server_bits, agreement.server_no_takeover),
            (agreement.client_bits, agreement.client_no_takeover),
        );
        let (own, peer) = if self.suite_is_client { (client, server) } else { (server, client) };
        self.deflate = Some(Deflate {
            agreement,
            outbound: Deflater::new(own.0, own.1, level),
            inbound: Inflater::new(peer.0, peer.1),
        });
    }

    /// What was agreed on compression.
    pub(crate) fn agreement(&self) -> Option<Agreement> {
        self.deflate.as_ref().map(|deflate| deflate.agreement)
    }

    pub(crate) fn suite_is_client(&self) -> bool {
        self.suite_is_client
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// What happened so far, in order.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(crate) fn record(&mut self, event: Event) {
        self.events.push(event);
    }

    /// What the peer did against the protocol.
    pub(crate) fn breaches(&self) -> &[String] {
        &self.breaches
    }

    /// The masking keys of the peer's frames, up to the first thousand.
    pub(crate) fn keys(&self) -> &[[u8; 4]] {
        &self.keys
    }

    pub(crate) fn peer_close(&self) -> Option<&PeerClose> {
        self.peer_close.as_ref()
    }

    /// The code of the first close frame that the suite sent with one.
    pub(crate) fn own_close_code(&self) -> Option<u16> {
        self.own_close_code
    }

    pub(crate) fn suite_closed_first(&self) -> bool {
        self.suite_closed_first
    }

    /// How the peer's direction of the stream ended, if it did.
    pub(crate) fn end(&self) -> Option<&End> {
        self.wire.end()
    }

    pub(crate) fn ended_by_peer(&self) -> bool {
        self.wire.end().is_some()
    }

    /// Whether the peer has begun to end the connection.
    pub(crate) fn is_over(&self) -> bool {
        self.peer_close.is_some() || self.ended_by_peer() || self.broken_write
    }

    /// Octets received on the stream.
    pub(crate) fn received(&self) -> u64 {
        self.wire.received()
    }

    /// Reads and records until the peer has ended the stream, or until `deadline`.
    /// As a server the suite ends TCP once both close frames are out.
    pub(crate) async fn drain(&mut self, deadline: Instant) {
        loop {
            if !self.suite_is_client && self.suite_close_sent && self.peer_close.is_some() {
                self.wire.finish_sending().await;
            }
            match self.next(deadline).await {
                Next::Event(event) => self.events.push(event),
                Next::Closed => {}
                Next::Ended | Next::Late => return,
            }
        }
    }

    /// Closes with `code` and waits for the answer and the end, at most `wait` for each.
    pub(crate) async fn close(&mut self, code: u16, wait: Duration) {
        if !self.suite_close_sent && !self.has_ended_sending {
            self.send(&[Frame::close(code, "")], WriteMode::OneGo).await;
        }
        self.drain(Instant::now() + wait).await;
    }

    /// Waits without reading events, but sees the stream end. For cases that look at raw time.
    pub(crate) async fn idle_until_end(&mut self, deadline: Instant) -> bool {
        loop {
            match timeout_at(deadline, self.wire.fill()).await {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Ends the suite's direction of the stream in order.
    pub(crate) async fn half_close(&mut self) {
        self.log.note("we end our direction of the stream (FIN)");
        self.has_ended_sending = true;
        self.wire.finish_sending().await;
    }

    /// Tears the connection down.
    pub(crate) fn reset(self) {
        self.log.note("we tear the stream down (RST)");
        self.wire.reset();
    }

    /// The stream itself, for cases that go below frames.
    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
