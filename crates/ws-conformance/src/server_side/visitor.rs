//! A client that has sent its request and waits for an answer.

use std::time::Duration;

use tokio::time::timeout;

use crate::carrier::Carrier;
use crate::log::{Log, Who};
use crate::wire::connect::answer_lines;
#[cfg(feature = "h3")]
use crate::wire::h3_stream::H3Stream;
use crate::wire::http::Head;
use crate::wire::stream::Wire;
use crate::wire::tunnel::Tunnel;

/// A client with its request.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) request: Head,
    pub(crate) door: Door,
}

/// The stream on which the answer goes out.
#[derive(Debug)]
pub(crate) enum Door {
    H1(Wire),
    H2(Box<Tunnel>),
    #[cfg(feature = "h3")]
    H3(Box<H3Stream>),
}

impl Visitor {
    /// The version of HTTP of the request.
    pub(crate) fn carrier(&self) -> Carrier {
        match &self.door {
            Door::H1(_) => Carrier::H1,
            Door::H2(_) => Carrier::H2,
            #[cfg(feature = "h3")]
            Door::H3(_) => Carrier::H3,
        }
    }

    /// Whether octets behind the request have arrived.
    pub(crate) fn has_spoken(&self) -> bool {
        matches!(&self.door, Door::H1(wire) if !wire.buffered().is_empty())
    }

    /// Waits whether the client speaks before it is answered.
    pub(crate) async fn speaks_within(&mut self, pause: Duration) -> bool {
        match &mut self.door {
            Door::H1(wire) => {
                !wire.buffered().is_empty() || timeout(pause, wire.fill()).await == Ok(true)
            }
            _ => false,
        }
    }

    /// Answers with a head that is written for HTTP/1.1, and gives the stream behind it.
    pub(crate) async fn answer(self, text: &str, log: &Log) -> Wire {
        let head = Head::parse(text.as_bytes());
        let octets = match &self.door {
            Door::H1(_) => text.to_owned(),
            _ => answer_lines(&head)
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect(),
        };
        log.head(Who::Suite, format!("answer to {}", self.request.start), octets.as_bytes());
        match self.door {
            Door::H1(mut wire) => {
                wire.write(text.as_bytes()).await;
                wire
            }
            Door::H2(mut tunnel) => {
                tunnel.respond(&head).await;
                Wire::new(*tunnel)
            }
            #[cfg(feature = "h3")]
            Door::H3(mut stream) => {
                stream.respond(&head).await;
                Wire::new(*stream)
            }
        }
    }

    /// The stream of HTTP/1.1, where it is one.
    pub(crate) fn wire(&mut self) -> Option<&mut Wire> {
        match &mut self.door {
            Door::H1(wire) => Some(wire),
            _ => None,
        }
    }

    /// The stream as it is, without an answer.
    pub(crate) fn into_wire(self) -> Wire {
        match self.door {
            Door::H1(wire) => wire,
            Door::H2(tunnel) => Wire::new(*tunnel),
            #[cfg(feature = "h3")]
            Door::H3(stream) => Wire::new(*stream),
        }
    }
}
