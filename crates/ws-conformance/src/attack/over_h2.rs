//! Attacks on the connection beneath a WebSocket of HTTP/2 (RFC 8441): floods of frames that cost
//! the sender little, and windows that are never opened.

use super::site_h2::Site;
use super::{Ending, MIB, PATIENCE, oversized};
use crate::arena::{Arena, Refused};
use crate::wire::raw_h2::{frame, kind};

/// Their names, without the `h2 ` before each.
pub(super) const NAMES: &[&str] = &[
    "resets",
    "header continuations",
    "settings",
    "pings",
    "empty data",
    "one-octet data",
    "window of one octet",
    "window never opened",
    "streams that say nothing",
    "connection that says nothing",
    "oversized field section",
    "large field section",
];

/// Runs the attack of this name, if there is one. What has to fill the buffers of two sockets has its
/// whole size at every scale.
pub(super) async fn attack(
    name: &str,
    arena: &Arena,
    scale: usize,
) -> Option<Result<Ending, Refused>> {
    let name = name.strip_prefix("h2 ")?;
    Some(run(name, arena, scale).await)
}

async fn run(name: &str, arena: &Arena, scale: usize) -> Result<Ending, Refused> {
    let mut site = Site::begin(arena, if name.contains("window") { 0 } else { 1 << 20 }).await?;
    Ok(match name {
        "resets" => site.resets(100_000 / scale).await,
        "header continuations" => site.continuations(100_000 / scale).await,
        "settings" => site.unread(&frame(kind::SETTINGS, 0, 0, &[]), 1_000_000).await,
        "pings" => site.unread(&frame(kind::PING, 0, 0, &[7; 8]), 1_000_000).await,
        "empty data" => {
            let id = site.open().await?;
            site.flood(&frame(kind::DATA, 0, id, &[]), 500_000 / scale).await
        }
        "one-octet data" => {
            let id = site.open().await?;
            site.message_by_octets(id, MIB / scale).await
        }
        "window of one octet" => {
            let id = site.open().await?;
            site.dribble(id, 2000).await
        }
        "window never opened" => {
            let id = site.open().await?;
            site.stall(id).await
        }
        "streams that say nothing" => site.half_requests(100_000 / scale).await,
        "connection that says nothing" => site.wait(PATIENCE).await,
        "oversized field section" | "large field section" => {
            let fields = [site.fields.clone(), oversized(scale)].concat();
            site.section(&fields).await
        }
        other => {
            return Err(Refused::NoConnection(format!("there is no attack h2 {other:?}")));
        }
    })
}
