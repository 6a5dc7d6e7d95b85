//! What a close frame of ours says, and what it must not say.

use crate::support::Driven;
use ws_session::{CloseCode, CloseFrame, Config, FrameError, Message, SendError, Violation};

fn client() -> Driven {
    Driven::client(Config::default())
}

// RFC: WS-7.1.7-02, WS-8.1-01, WS-10.7-02
#[test]
fn each_violation_has_its_code() {
    let mut config = Config::default();
    config.limits = config.limits.with_max_message(100).with_max_frame(50).with_max_fragments(3);
    for (frames, code) in [
        (&b"\x83\x00"[..], 1002),
        (b"\xc1\x00", 1002),
        (b"\x09\x00", 1002),
        (b"\x80\x00", 1002),
        (b"\x88\x01a", 1002),
        (b"\x88\x02\x03\xed", 1002),
        (b"\x81\x01\xff", 1007),
        (b"\x88\x03\x03\xe8\xff", 1007),
        (&[&[0x82, 51][..], &[0; 51]].concat(), 1009),
        (&[&[0x02, 50][..], &[0; 50], &[0, 50], &[0; 50], &[0x80, 1, 0]].concat(), 1009),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00", 1008),
    ] {
        for new in [Driven::client, Driven::server] {
            let mut peer = new(config.clone());
            assert!(peer.hear(frames).is_empty(), "{frames:02x?}");
            let goodbye = peer.said();
            assert_eq!((goodbye[0], &goodbye[2..4]), (0x88, &u16::to_be_bytes(code)[..]));
        }
    }
}

#[test]
fn every_goodbye_of_ours_fits_a_close_frame() {
    let violations = [
        Violation::ReservedBits(7),
        Violation::UnknownOpcode(15),
        Violation::NonMinimalLength(u64::MAX),
        Violation::LengthTopBit(u8::MAX),
        Violation::ControlTooLong,
        Violation::FragmentedControl,
        Violation::UnmaskedFrame,
        Violation::MaskedFrame,
        Violation::UnexpectedContinuation,
        Violation::InterleavedMessage,
        Violation::ShortCloseBody,
    ];
    let others = [
        FrameError::InvalidUtf8,
        FrameError::MessageTooBig { size: u64::MAX, max: usize::MAX },
        FrameError::BadCloseCode(CloseCode::new(65_535)),
        FrameError::TooManyFragments { max: usize::MAX },
        FrameError::BadDeflate,
        FrameError::InflateTooBig { max: usize::MAX },
        FrameError::InflateRatioTooHigh { max: u32::MAX },
    ];
    for error in violations.map(FrameError::from).into_iter().chain(others) {
        let text = error.to_string();
        assert!(text.len() <= CloseFrame::MAX_REASON && text.is_ascii(), "{text}");
        assert!(error.close_code().is_valid_on_wire());
    }
}

// RFC: WS-7.4.1-01, WS-7.4.2-01, WS-5.5-01
#[test]
fn illegal_close_codes_are_refused_to_the_caller_and_never_leave() {
    for code in [0, 999, 1004, 1005, 1006, 1012, 1013, 1014, 1015, 1016, 2999, 5000, 65_535] {
        let mut client = client();
        let code = CloseCode::new(code);
        let refused = Err(SendError::InvalidCloseCode(code));
        assert_eq!(client.session.close(Some(code.into())), refused);
        assert_eq!(client.session.send(Message::Close(Some(code.into()))), refused);
        client.turn();
        assert!(client.written.is_empty() && client.session.is_open());
    }
    let mut client = client();
    let long = CloseFrame::new(CloseCode::NORMAL, "x".repeat(124));
    assert_eq!(client.session.close(Some(long)), Err(SendError::ReasonTooLong(124)));
    let fits = CloseFrame::new(CloseCode::NORMAL, "x".repeat(123));
    assert_eq!(client.session.close(Some(fits)), Ok(()));
}

// RFC: UP-IANA
#[test]
fn codes_of_the_iana_registry_are_taken_on_request_only() {
    let mut lenient = Config::default();
    lenient.iana_close_codes = true;
    for code in [1012_u16, 1013, 1014] {
        let [high, low] = code.to_be_bytes();
        let (frame, code) = ([0x88, 2, high, low], CloseCode::new(code));
        for new in [Driven::client, Driven::server] {
            let mut peer = new(lenient.clone());
            assert_eq!(peer.hear(&frame), [Message::close(code, "")]);
            assert_eq!(peer.said(), frame);
            let mut peer = new(lenient.clone());
            assert_eq!(peer.session.close(Some(code.into())), Ok(()));
            peer.turn();
            assert_eq!(peer.said(), frame);

            let mut strict = new(Config::default());
            let refused = Err(SendError::InvalidCloseCode(code));
            assert_eq!(strict.session.close(Some(code.into())), refused);
            assert!(strict.hear(&frame).is_empty());
            assert_eq!(strict.said()[2..4], 1002_u16.to_be_bytes());
        }
    }
}
