//! The client's part of the negotiation: the offer, and the check of the answer (RFC 7692 §7.1).

use ws_handshake::Extension;

use crate::config::Config;
use crate::error::{Error, ResponseFault};
use crate::offer::{Bits, Parsed};
use crate::params::{
    CLIENT_MAX_WINDOW_BITS, Direction, MAX_WINDOW_BITS, NAME, Params, SERVER_MAX_WINDOW_BITS,
    SERVER_NO_CONTEXT_TAKEOVER,
};

/// The element for the request's `Sec-WebSocket-Extensions`.
///
/// ```
/// use ws_deflate::{client, Config};
///
/// let offer = client::offer(&Config::default().server_max_window_bits(12));
/// assert_eq!(
///     offer.to_string(),
///     "permessage-deflate; server_max_window_bits=12; client_max_window_bits"
/// );
/// ```
#[must_use]
pub fn offer(config: &Config) -> Extension {
    Parsed {
        server_no_context_takeover: config.server_no_context_takeover,
        client_no_context_takeover: config.client_no_context_takeover,
        server_max_window_bits: Bits::unless_full(config.server_bits()),
        client_max_window_bits: match config.client_bits() {
            None => Bits::Absent,
            Some(MAX_WINDOW_BITS) => Bits::NoValue,
            Some(bits) => Bits::Value(bits),
        },
    }
    .to_extension()
}

/// Finds the answer to [`offer`] among the extensions a server accepted, and checks it.
///
/// `None`: the server declined, and all messages go uncompressed. Other extensions are passed
/// over; to refuse what was never offered is the handshake's part.
///
/// # Errors
///
/// [`Error::BadExtensionResponse`] as [`accept`], and when the extension is accepted twice.
pub fn accept_any(config: &Config, answers: &[Extension]) -> Result<Option<Params>, Error> {
    let mut ours = answers.iter().filter(|answer| answer.name == NAME);
    let Some(answer) = ours.next() else {
        return Ok(None);
    };
    if ours.next().is_some() {
        return Err(Error::BadExtensionResponse(ResponseFault::AcceptedTwice));
    }
    accept(config, answer).map(Some)
}

/// Checks a server's answer to [`offer`] of the same `config`.
///
/// After `client_max_window_bits=8` the result says [`Params::may_compress`] no.
///
/// # Errors
///
/// [`Error::BadExtensionResponse`] for an unknown or duplicate parameter, a value out of place,
/// missing or not exactly `8` to `15`, window bits larger than offered, `client_max_window_bits`
/// when it was not offered, and when what the offer insisted on (`server_no_context_takeover`,
/// `server_max_window_bits`) is missing.
pub fn accept(config: &Config, answer: &Extension) -> Result<Params, Error> {
    check(config, answer).map_err(Error::BadExtensionResponse)
}

fn check(config: &Config, answer: &Extension) -> Result<Params, ResponseFault> {
    if answer.name != NAME {
        return Err(ResponseFault::WrongName(answer.name.to_string()));
    }
    let answer = Parsed::parse(answer)?;

    if config.server_no_context_takeover && !answer.server_no_context_takeover {
        return Err(ResponseFault::Missing(SERVER_NO_CONTEXT_TAKEOVER));
    }
    let offered = config.server_bits();
    let server_bits = match answer.server_max_window_bits {
        Bits::Absent if offered < MAX_WINDOW_BITS => {
            return Err(ResponseFault::Missing(SERVER_MAX_WINDOW_BITS));
        }
        Bits::Absent => MAX_WINDOW_BITS,
        Bits::NoValue => return Err(ResponseFault::InvalidValue(SERVER_MAX_WINDOW_BITS)),
        Bits::Value(bits) => at_most(offered, bits, SERVER_MAX_WINDOW_BITS)?,
    };
    let client_bits = match (answer.client_max_window_bits, config.client_bits()) {
        (Bits::Absent, offered) => offered.unwrap_or(MAX_WINDOW_BITS),
        (Bits::NoValue, _) => return Err(ResponseFault::InvalidValue(CLIENT_MAX_WINDOW_BITS)),
        (Bits::Value(_), None) => return Err(ResponseFault::NotOffered(CLIENT_MAX_WINDOW_BITS)),
        (Bits::Value(bits), Some(offered)) => at_most(offered, bits, CLIENT_MAX_WINDOW_BITS)?,
    };
    let client_fresh = answer.client_no_context_takeover || config.client_no_context_takeover;
    Ok(Params {
        outbound: Direction::new(client_bits, !client_fresh),
        inbound: Direction::new(server_bits, !answer.server_no_context_takeover),
    })
}

fn at_most(offered: u8, answered: u8, name: &'static str) -> Result<u8, ResponseFault> {
    if answered <= offered {
        Ok(answered)
    } else {
        Err(ResponseFault::LargerThanOffered { name, offered, answered })
    }
}
