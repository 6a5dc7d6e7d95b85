//! Close codes that IANA has registered after RFC 6455.

use crate::support::Driven;
use ws_session::{CloseCode, CloseFrame, Config, Message, SendError};

/// What they are on the wire.
const CODES: [(&[u8; 2], CloseCode); 3] = [
    (b"\x03\xf4", CloseCode::SERVICE_RESTART),
    (b"\x03\xf5", CloseCode::TRY_AGAIN_LATER),
    (b"\x03\xf6", CloseCode::BAD_GATEWAY),
];

// RFC: UP-IANA
#[test]
fn they_are_taken_and_answered_whatever_may_be_sent() {
    for is_sent in [false, true] {
        for (wire, code) in CODES {
            let config = Config::default().with_iana_close_codes(is_sent);
            let mut client = Driven::client(config);
            let frame = CloseFrame::from(code);
            let received = client.receive(&[b"\x88\x02", &wire[..]].concat());
            assert_eq!(received, [Message::Close(Some(frame.clone()))]);
            client.end();
            let outcome = client.session.outcome().expect("over");
            assert!(outcome.clean && outcome.code == code, "{outcome:?}");
            assert_eq!(outcome.sent, Some(Some(frame)), "the answer echoes it");
        }
    }
}

// RFC: UP-IANA
#[test]
fn they_are_sent_on_request_only() {
    for (wire, code) in CODES {
        let mut client = Driven::client(Config::default());
        let refused = client.session.close(Some(code.into()));
        assert_eq!(refused, Err(SendError::InvalidCloseCode(code)));
        let mut client = Driven::client(Config::default().with_iana_close_codes(true));
        assert_eq!(client.session.close(Some(code.into())), Ok(()));
        client.turn();
        assert!(client.take_written().ends_with(wire), "{code}");
    }
}
