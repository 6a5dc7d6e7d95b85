//! The server's part of the negotiation: choose among the client's offers (RFC 7692 §5, §7.1).
//!
//! An offer that cannot be accepted is declined and the next one looked at; no offer is ever an
//! error.

use ws_handshake::Extension;

use crate::config::Config;
use crate::offer::{Bits, Parsed};
use crate::params::{Direction, MAX_WINDOW_BITS, MIN_WINDOW_BITS, NAME, Params};

/// Accepts the first acceptable offer of permessage-deflate: what was agreed, and the element for
/// the answer's `Sec-WebSocket-Extensions`. `None`: leave it out of the answer.
///
/// `offers` are the elements of the request in order of preference; other extensions among them
/// are passed over. An offer is declined when it has an unknown or duplicate parameter, a value
/// out of place, missing or not exactly `8` to `15`, or asks for `server_max_window_bits=8`, which
/// no compressor here can honour.
///
/// ```
/// use ws_deflate::{server, Config};
/// use ws_handshake::Extension;
///
/// let offers = [
///     Extension::new("permessage-deflate").param("server_max_window_bits", "8"),
///     Extension::new("permessage-deflate").param("server_max_window_bits", "12"),
/// ];
/// let (params, answer) = server::negotiate(&Config::default(), &offers).expect("the second");
/// assert_eq!(params.outbound.window_bits, 12);
/// assert_eq!(answer.to_string(), "permessage-deflate; server_max_window_bits=12");
/// ```
#[must_use]
pub fn negotiate(config: &Config, offers: &[Extension]) -> Option<(Params, Extension)> {
    offers.iter().filter(|offer| offer.name == NAME).find_map(|offer| accept(config, offer))
}

fn accept(config: &Config, offer: &Extension) -> Option<(Params, Extension)> {
    let offer = Parsed::parse(offer).ok()?;

    let server_bits = match offer.server_max_window_bits {
        Bits::Absent => config.server_bits(),
        Bits::Value(bits) if bits >= MIN_WINDOW_BITS => bits.min(config.server_bits()),
        Bits::Value(_) | Bits::NoValue => return None,
    };
    // Our wish, cut to the client's hint. A client that does not offer the parameter cannot be
    // limited, and is inflated with a full window.
    let wish = config.client_bits().unwrap_or(MAX_WINDOW_BITS);
    let client_bits = match offer.client_max_window_bits {
        Bits::Absent => MAX_WINDOW_BITS,
        Bits::NoValue => wish,
        Bits::Value(hint) => hint.min(wish),
    };
    let server_fresh = offer.server_no_context_takeover || config.server_no_context_takeover;
    let client_fresh = offer.client_no_context_takeover || config.client_no_context_takeover;

    let answer = Parsed {
        server_no_context_takeover: server_fresh,
        client_no_context_takeover: client_fresh,
        server_max_window_bits: match offer.server_max_window_bits {
            Bits::Absent => Bits::unless_full(server_bits),
            _ => Bits::Value(server_bits),
        },
        client_max_window_bits: Bits::unless_full(client_bits),
    };
    let params = Params {
        outbound: Direction::new(server_bits, !server_fresh),
        inbound: Direction::new(client_bits, !client_fresh),
    };
    Some((params, answer.to_extension()))
}
