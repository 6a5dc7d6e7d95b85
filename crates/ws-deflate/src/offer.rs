//! The four parameters of permessage-deflate, as an offer or an answer carries them.

use ws_handshake::Extension;

use crate::error::ResponseFault;
use crate::params::{
    CLIENT_MAX_WINDOW_BITS, CLIENT_NO_CONTEXT_TAKEOVER, MAX_WINDOW_BITS, NAME,
    SERVER_MAX_WINDOW_BITS, SERVER_NO_CONTEXT_TAKEOVER,
};

/// An element of `Sec-WebSocket-Extensions`, understood. Which forms are legal in an offer and
/// which in an answer is for the caller to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
    pub(crate) server_max_window_bits: Bits,
    pub(crate) client_max_window_bits: Bits,
}

/// A window parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bits {
    #[default]
    Absent,
    NoValue,
    /// 8 to 15.
    Value(u8),
}

impl Bits {
    /// The full window is what saying nothing means.
    pub(crate) fn unless_full(bits: u8) -> Self {
        if bits < MAX_WINDOW_BITS { Self::Value(bits) } else { Self::Absent }
    }
}

impl Parsed {
    pub(crate) fn parse(element: &Extension) -> Result<Self, ResponseFault> {
        let mut parsed = Self::default();
        for param in &element.params {
            parsed.read(&param.name, param.value.as_deref())?;
        }
        Ok(parsed)
    }

    pub(crate) fn to_extension(self) -> Extension {
        let mut element = Extension::new(NAME);
        if self.server_no_context_takeover {
            element = element.flag(SERVER_NO_CONTEXT_TAKEOVER);
        }
        if self.client_no_context_takeover {
            element = element.flag(CLIENT_NO_CONTEXT_TAKEOVER);
        }
        for (name, bits) in [
            (SERVER_MAX_WINDOW_BITS, self.server_max_window_bits),
            (CLIENT_MAX_WINDOW_BITS, self.client_max_window_bits),
        ] {
            element = match bits {
                Bits::Absent => element,
                Bits::NoValue => element.flag(name),
                Bits::Value(bits) => element.param(name, bits.to_string()),
            };
        }
        element
    }

    fn read(&mut self, name: &str, value: Option<&str>) -> Result<(), ResponseFault> {
        match name {
            SERVER_NO_CONTEXT_TAKEOVER => {
                flag(&mut self.server_no_context_takeover, SERVER_NO_CONTEXT_TAKEOVER, value)
            }
            CLIENT_NO_CONTEXT_TAKEOVER => {
                flag(&mut self.client_no_context_takeover, CLIENT_NO_CONTEXT_TAKEOVER, value)
            }
            SERVER_MAX_WINDOW_BITS => {
                bits(&mut self.server_max_window_bits, SERVER_MAX_WINDOW_BITS, value)
            }
            CLIENT_MAX_WINDOW_BITS => {
                bits(&mut self.client_max_window_bits, CLIENT_MAX_WINDOW_BITS, value)
            }
            unknown => Err(ResponseFault::UnknownParameter(unknown.to_owned())),
        }
    }
}

fn flag(slot: &mut bool, name: &'static str, value: Option<&str>) -> Result<(), ResponseFault> {
    if *slot {
        return Err(ResponseFault::DuplicateParameter(name));
    }
    if value.is_some() {
        return Err(ResponseFault::InvalidValue(name));
    }
    *slot = true;
    Ok(())
}

fn bits(slot: &mut Bits, name: &'static str, value: Option<&str>) -> Result<(), ResponseFault> {
    if *slot != Bits::Absent {
        return Err(ResponseFault::DuplicateParameter(name));
    }
    *slot = match value {
        None => Bits::NoValue,
        Some(value) => Bits::Value(decimal(value).ok_or(ResponseFault::InvalidValue(name))?),
    };
    Ok(())
}

/// Exactly `8` to `15`: no sign, no leading zero (RFC 7692 §7.1.2.1).
fn decimal(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| (8..=MAX_WINDOW_BITS).contains(bits))?;
    (!value.starts_with(['0', '+'])).then_some(bits)
}
