//! The table of close codes (RFC 6455 §7.4.1 and §7.4.2, and the IANA registry it founded).

use core::fmt;

/// A close code: 16 bits whose meaning RFC 6455 §7.4 and the IANA registry define.
///
/// Any number can be represented, because a peer can send any number; whether it may stand in a
/// close frame is a question of its own, see [`is_valid_on_wire`](Self::is_valid_on_wire).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

macro_rules! close_codes {
    ($($(#[$doc:meta])* $constant:ident = $code:literal, $name:literal;)*) => {
        impl CloseCode {
            $($(#[$doc])* pub const $constant: Self = Self($code);)*
        }

        /// The name of a single registered code; ranges are the caller's business.
        const fn registered_name(code: u16) -> Option<&'static str> {
            match code {
                $($code => Some($name),)*
                _ => None,
            }
        }
    };
}

close_codes! {
    /// 1000: the purpose of the connection is fulfilled.
    NORMAL = 1000, "normal";
    /// 1001: the endpoint goes away: a server shuts down, a page is left.
    GOING_AWAY = 1001, "going_away";
    /// 1002: the peer broke the protocol.
    PROTOCOL_ERROR = 1002, "protocol_error";
    /// 1003: the endpoint cannot accept this type of data.
    UNSUPPORTED_DATA = 1003, "unsupported_data";
    /// 1004: reserved without a meaning; never on the wire.
    RESERVED = 1004, "reserved";
    /// 1005: the close frame carried no code; local only.
    NO_STATUS = 1005, "no_status";
    /// 1006: the connection ended without a close frame; local only.
    ABNORMAL = 1006, "abnormal";
    /// 1007: data did not fit the message type, above all text that is not UTF-8.
    INVALID_UTF8 = 1007, "invalid_utf8";
    /// 1008: the message violates a policy of the endpoint.
    POLICY_VIOLATION = 1008, "policy_violation";
    /// 1009: the message is too big to be processed.
    MESSAGE_TOO_BIG = 1009, "message_too_big";
    /// 1010: the client misses an extension that it needs; only clients send it.
    EXTENSION_REQUIRED = 1010, "extension_required";
    /// 1011: an unexpected condition keeps the endpoint from going on.
    INTERNAL_ERROR = 1011, "internal_error";
    /// 1012: the service restarts (IANA registry). [On request](Self::is_valid_with_iana) only.
    SERVICE_RESTART = 1012, "service_restart";
    /// 1013: the service is overloaded, try again later (IANA registry). [On
    /// request](Self::is_valid_with_iana) only.
    TRY_AGAIN_LATER = 1013, "try_again_later";
    /// 1014: a gateway got an invalid answer from upstream (IANA registry). [On
    /// request](Self::is_valid_with_iana) only.
    BAD_GATEWAY = 1014, "bad_gateway";
    /// 1015: the TLS handshake failed; never on the wire.
    TLS_HANDSHAKE = 1015, "tls_handshake";
}

impl CloseCode {
    /// The close code with this number, valid on the wire or not.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether the code may stand in a close frame: 1000–1003, 1007–1011 and 3000–4999.
    #[must_use]
    pub const fn is_valid_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1011 | 3000..=4999)
    }

    /// As [`is_valid_on_wire`](Self::is_valid_on_wire), and 1012–1014, which the IANA registry added
    /// after RFC 6455. Older peers refuse them, therefore a session sends and takes them only on request
    /// (`iana_close_codes` of its configuration).
    #[must_use]
    pub const fn is_valid_with_iana(self) -> bool {
        self.is_valid_on_wire() || matches!(self.0, 1012..=1014)
    }

    /// The name of the code: that of the table in the [crate documentation](crate), `registered`
    /// for 3000–3999, `private` for 4000–4999, and `undefined` for every other number.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match registered_name(self.0) {
            Some(name) => name,
            None => match self.0 {
                3000..=3999 => "registered",
                4000..=4999 => "private",
                _ => "undefined",
            },
        }
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({self})")
    }
}

/// Whether a close frame may carry this number; the free form of [`CloseCode::is_valid_on_wire`].
#[must_use]
pub const fn valid_on_wire(code: u16) -> bool {
    CloseCode(code).is_valid_on_wire()
}

/// The name of this number; the free form of [`CloseCode::name`].
#[must_use]
pub const fn reason_name(code: u16) -> &'static str {
    CloseCode(code).name()
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-7.4.1-01, WS-7.4.2-01
    #[test]
    fn every_number_is_on_the_right_side_of_the_wire() {
        for code in 0..=u16::MAX {
            let expected =
                [1000..=1003, 1007..=1011, 3000..=4999].iter().any(|r| r.contains(&code));
            assert_eq!(valid_on_wire(code), expected, "{code}");
            let with_iana = expected || (1012..=1014).contains(&code);
            assert_eq!(CloseCode::new(code).is_valid_with_iana(), with_iana, "{code}");
        }
    }

    // RFC: WS-7.4.1-03, UP-IANA
    #[test]
    fn names_are_those_of_the_table() {
        let table = [
            (1000, "normal"),
            (1001, "going_away"),
            (1002, "protocol_error"),
            (1003, "unsupported_data"),
            (1004, "reserved"),
            (1005, "no_status"),
            (1006, "abnormal"),
            (1007, "invalid_utf8"),
            (1008, "policy_violation"),
            (1009, "message_too_big"),
            (1010, "extension_required"),
            (1011, "internal_error"),
            (1012, "service_restart"),
            (1013, "try_again_later"),
            (1014, "bad_gateway"),
            (1015, "tls_handshake"),
            (3000, "registered"),
            (3999, "registered"),
            (4000, "private"),
            (4999, "private"),
            (0, "undefined"),
            (999, "undefined"),
            (1016, "undefined"),
            (2999, "undefined"),
            (5000, "undefined"),
        ];
        for (code, name) in table {
            assert_eq!(reason_name(code), name, "{code}");
        }
    }
}
