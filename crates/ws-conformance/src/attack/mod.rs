//! Attacks: what a peer bent on harm sends, at full size, so that somebody else can measure what it
//! costs the one attacked.
//!
//! A case of the suite judges an answer; an attack only causes and observes. It says how much was
//! sent and how it ended, and whether another connection was served meanwhile. Memory and time of
//! the process under attack are for the caller to measure, and the bounds are the caller's.

mod guest_h2;
#[cfg(feature = "h3")]
mod guest_h3;
mod handshake;
mod names;
mod neighbour;
mod open;
mod over_h2;
#[cfg(feature = "h3")]
mod over_h3;
mod site_h2;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::arena::{Arena, Memory, Refused};
use crate::carrier::Carrier;
use crate::link::Link;
use crate::log::Log;
use crate::server_side::lobby::{Caller, Lobby};
use crate::settings::{Effort, Settings};
use crate::target::Target;
use crate::wire::identity::Identity;

pub use names::attacks;
use neighbour::{Neighbour, Service};

/// What came of an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attacked {
    /// Octets that the peer took, below TLS and QUIC.
    pub sent: u64,
    /// From the first octet of the attack to its end.
    pub took: Duration,
    /// How it ended: `close 1009`, `431`, `GOAWAY 11`, `cut`, `echoed`, `open` …
    pub end: String,
    /// Messages that came back on another connection meanwhile, and the slowest of them. None for
    /// a client under attack, and none came back if there was no time for one.
    pub neighbour: Option<(u32, Duration)>,
}

impl fmt::Display for Attacked {
    /// One line for a program to read; the end is last, since it may have spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attacked sent={} took_ms={}", self.sent, self.took.as_millis())?;
        if let Some((echoes, slowest)) = self.neighbour {
            write!(f, " echoes={echoes} slowest_ms={}", slowest.as_millis())?;
        }
        write!(f, " end={}", self.end)
    }
}

/// How an attack ended, as the attacker saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ending {
    sent: u64,
    end: String,
}

impl Ending {
    fn new(sent: usize, end: impl Into<String>) -> Self {
        Self { sent: sent as u64, end: end.into() }
    }
}

/// Attacks the echo server at `target`. `scale` divides the size of the attacks that have one. Of
/// `settings` the carrier and the header lines count.
///
/// # Errors
///
/// There is no such attack on a server, and the error lists those there are; or the server was not there
/// to be attacked.
pub async fn attack_server(
    name: &str,
    target: &Target,
    settings: &Settings,
    scale: usize,
) -> io::Result<Attacked> {
    names::is_on_servers(name)?;
    let settings = patient(settings.carrier, &settings.headers);
    let arena = Arena::against_server(target.clone(), Arc::clone(&settings));
    let payload = open::payload(name, scale);
    let neighbour = Neighbour::begin(target.clone(), &settings.headers).await?;
    let began = Instant::now();
    let attacked = match handshake::attack(name, &arena, scale).await {
        None => below(name, &arena, scale).await,
        ended => ended,
    };
    let ending = match attacked {
        Some(ending) => ending.map_err(refused)?,
        None => {
            let mut arena = Arena::against_server(target.clone(), settings);
            let link = arena.open_with(offer(name)).await.map_err(refused)?;
            open(name, &payload, link, scale).await?
        }
    };
    let took = began.elapsed();
    let Service { echoes, slowest } = neighbour.finish().await?;
    let Ending { sent, end } = ending;
    Ok(Attacked { sent, took, end, neighbour: Some((echoes, slowest)) })
}

/// Waits for one client that comes by `carrier` and attacks it. `bound` is told the URL to call.
///
/// # Errors
///
/// There is no such attack on a client over `carrier`, and the error lists those there are; no client
/// called; or `bound` failed.
pub async fn attack_client(
    name: &str,
    carrier: Carrier,
    scale: usize,
    bound: impl FnOnce(&str) -> io::Result<()>,
) -> io::Result<Attacked> {
    names::is_on_clients(name, carrier)?;
    let identity = match carrier {
        Carrier::H3 => Some(Arc::new(Identity::new()?)),
        _ => None,
    };
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut lobby = Lobby::bind(anywhere, carrier, identity).await?;
    let payload = open::payload(name, scale);
    bound(&lobby.url("/"))?;
    let caller = lobby.accept().await?;
    let began = Instant::now();
    let Ending { sent, end } = match (caller, name.split_once(' ')) {
        (Caller::H2(wire), Some(("h2", name))) => {
            guest_h2::attack(name, wire, scale).await.map_err(refused)?
        }
        #[cfg(feature = "h3")]
        (Caller::H3(connection, endpoint), Some(("h3", name))) => {
            guest_h3::attack(name, connection, endpoint, scale).await.map_err(refused)?
        }
        (caller, _) => on_visitor(name, caller, &payload, scale).await?,
    };
    Ok(Attacked { sent, took: began.elapsed(), end, neighbour: None })
}

/// Attacks a client that is answered, or the answer is the attack.
async fn on_visitor(
    name: &str,
    caller: Caller,
    payload: &[u8],
    scale: usize,
) -> io::Result<Ending> {
    let mut visitor = caller.into_visitor(&Log::new()).await?;
    if let Some(ending) = handshake::attack_client(name, &mut visitor, scale).await {
        return Ok(ending);
    }
    let settings = patient(visitor.carrier(), &[]);
    let arena = Arena::against_visitor(visitor, settings, Arc::new(Memory::default()));
    let link = handshake::welcome(arena, offer(name).is_some()).await.map_err(refused)?;
    open(name, payload, link, scale).await
}

async fn open(name: &str, payload: &[u8], mut link: Link, scale: usize) -> io::Result<Ending> {
    let ending = open::attack(name, payload, &mut link, scale).await;
    ending.ok_or_else(|| io::Error::other(format!("there is no attack {name:?}")))
}

/// The attacks beneath the WebSocket.
async fn below(name: &str, arena: &Arena, scale: usize) -> Option<Result<Ending, Refused>> {
    if let Some(ending) = over_h2::attack(name, arena, scale).await {
        return Some(ending);
    }
    #[cfg(feature = "h3")]
    if let Some(ending) = over_h3::attack(name, arena, scale).await {
        return Some(ending);
    }
    None
}

/// The extension that the attack needs.
fn offer(name: &str) -> Option<&'static str> {
    name.contains("inflate").then_some("permessage-deflate")
}

/// The settings of an attacker, who has time.
fn patient(carrier: Carrier, headers: &[String]) -> Arc<Settings> {
    let mut settings = Settings::new(Effort::Full);
    settings.carrier = carrier;
    settings.headers = headers.to_vec();
    settings.wait = Duration::from_secs(10);
    Arc::new(settings)
}

/// 4 MiB of field lines, where `scale` is 1.
fn oversized(scale: usize) -> Vec<(String, String)> {
    (0..4 * KIB / scale).map(|n| (format!("x-{n}"), "*".repeat(KIB))).collect()
}

fn refused(refused: Refused) -> io::Error {
    match refused {
        Refused::Unimplemented(why) | Refused::NoConnection(why) => io::Error::other(why),
    }
}

/// How long an attacker waits for the other side to put an end to it.
const PATIENCE: Duration = Duration::from_secs(30);
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[cfg(all(test, feature = "h2", feature = "h3"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_attack_asks_for_the_resource_of_the_url_with_the_header_of_the_run() {
        for (carrier, name) in [
            (Carrier::H1, "long header field"),
            (Carrier::H2, "h2 oversized field section"),
            (Carrier::H3, "h3 oversized field section"),
        ] {
            let identity = Arc::new(Identity::new().expect("a certificate"));
            let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let identity = (carrier == Carrier::H3).then_some(identity);
            let mut lobby = Lobby::bind(anywhere, carrier, identity).await.expect("a free port");
            let target: Target = lobby.url("/here?x").parse().expect("a URL");
            let settings = patient(carrier, &["Authorization: Bearer 12345".to_owned()]);
            let attack = tokio::spawn(async move {
                let arena = Arena::against_server(target, settings);
                match handshake::attack(name, &arena, 4 * KIB).await {
                    None => below(name, &arena, 4 * KIB).await,
                    ended => ended,
                }
            });
            let caller = lobby.accept().await.expect("a call");
            let visitor = caller.into_visitor(&Log::new()).await.expect("a request");
            assert_eq!(visitor.request.target(), "/here?x", "{name}");
            let sent: Vec<&str> = visitor.request.values("authorization").collect();
            assert_eq!(sent, ["Bearer 12345"], "{name}");
            attack.abort();
        }
    }
}
