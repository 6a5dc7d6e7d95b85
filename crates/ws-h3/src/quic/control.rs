//! Reads a peer's unidirectional streams before `h3` does: takes notes of SETTINGS and GOAWAY, and
//! bounds the frames of the control stream, which `h3` would buffer whole (RFC 9114 §6.2, §7.2).
//!
//! `h3` does not see the GOAWAY of a client: it would stop accepting requests, and of those nothing is
//! said in it (RFC 9114 §5.2).

use bytes::{Bytes, BytesMut};
use h3::error::Code;
use tokio::sync::watch;

use super::frames::{self, FrameEvent, FrameReader, frame_header, is_known, take_varint};
use crate::link::Peer;

/// Looks through one unidirectional stream and passes it on.
#[derive(Debug, Default)]
pub(crate) struct UniReader {
    state: State,
    input: Bytes,
    is_client: bool,
}

#[derive(Debug)]
enum State {
    /// Collecting the stream's type.
    Type(BytesMut),
    Control {
        frames: FrameReader,
        payload: BytesMut,
        has_settings: bool,
    },
    /// Anything else is passed on as it is.
    Other,
}

impl Default for State {
    fn default() -> Self {
        Self::Type(BytesMut::new())
    }
}

/// The code and the description of a breach that ends the connection.
pub(crate) type Violation = (Code, &'static str);

impl UniReader {
    /// `is_client` is our side.
    pub(crate) fn new(is_client: bool) -> Self {
        Self { is_client, ..Self::default() }
    }

    /// Adds what came; all of the last input must have been taken.
    pub(crate) fn push(&mut self, input: Bytes) {
        self.input = input;
    }

    /// The next bytes for `h3`; `None` when more input is needed.
    pub(crate) fn next(&mut self, peer: &watch::Sender<Peer>) -> Result<Option<Bytes>, Violation> {
        match &mut self.state {
            State::Type(bytes) => {
                while !self.input.is_empty() {
                    bytes.extend_from_slice(&self.input.split_to(1));
                    let Some(kind) = take_varint(&mut &bytes[..]) else { continue };
                    let bytes = bytes.split().freeze();
                    self.state = match kind {
                        0 => State::Control {
                            frames: FrameReader::new(),
                            payload: BytesMut::new(),
                            has_settings: false,
                        },
                        // RFC 9114 §4.6, §6.2.2: a client pushes nothing, and as one we ask for nothing.
                        PUSH if self.is_client => {
                            return Err((Code::H3_ID_ERROR, "a push that was not asked for"));
                        }
                        PUSH => {
                            return Err((Code::H3_STREAM_CREATION_ERROR, "a push by a client"));
                        }
                        _ => State::Other,
                    };
                    return Ok(Some(bytes));
                }
                Ok(None)
            }
            State::Control { frames, payload, has_settings } => {
                while let Some(event) = frames.next(&mut self.input, usize::MAX) {
                    match event {
                        FrameEvent::Start { kind: frames::DATA | frames::HEADERS, .. } => {
                            let what = "a message frame on the control stream";
                            return Err((Code::H3_FRAME_UNEXPECTED, what));
                        }
                        // RFC 9114 §6.2.1. `h3` does not see those that are to be ignored.
                        FrameEvent::Start { kind, .. }
                            if !*has_settings && kind != frames::SETTINGS =>
                        {
                            let what = "a frame before SETTINGS";
                            return Err((Code::H3_MISSING_SETTINGS, what));
                        }
                        FrameEvent::Start { kind, .. } if !is_known(kind) => {}
                        FrameEvent::Start { len, .. } if len > FRAME_MAX => {
                            let what = "a frame of the control stream is too large";
                            return Err((Code::H3_EXCESSIVE_LOAD, what));
                        }
                        FrameEvent::Start { kind: frames::GOAWAY, len: 0 } if !self.is_client => {
                            return Err(BAD_GOAWAY);
                        }
                        FrameEvent::Start { kind, len: 0 } => {
                            *has_settings = true;
                            return take_note(kind, &[], peer).map(|()| Some(whole(kind, &[])));
                        }
                        FrameEvent::Start { .. } => *has_settings = true,
                        FrameEvent::Payload { kind, bytes, last } if is_known(kind) => {
                            payload.extend_from_slice(&bytes);
                            if last {
                                let payload = payload.split();
                                if kind == frames::GOAWAY && !self.is_client {
                                    take_clients_goaway(&payload, peer)?;
                                    continue;
                                }
                                take_note(kind, &payload, peer)?;
                                return Ok(Some(whole(kind, &payload)));
                            }
                        }
                        FrameEvent::Payload { .. } => {}
                    }
                }
                Ok(None)
            }
            State::Other if self.input.is_empty() => Ok(None),
            State::Other => Ok(Some(std::mem::take(&mut self.input))),
        }
    }
}

/// Publishes what a control frame announces. Its form is for `h3` to judge.
fn take_note(kind: u64, mut payload: &[u8], peer: &watch::Sender<Peer>) -> Result<(), Violation> {
    match kind {
        frames::SETTINGS => {
            let mut enabled = false;
            while let (Some(id), Some(value)) =
                (take_varint(&mut payload), take_varint(&mut payload))
            {
                if id == ENABLE_CONNECT_PROTOCOL {
                    if value > 1 {
                        let what = "SETTINGS_ENABLE_CONNECT_PROTOCOL is neither 0 nor 1";
                        return Err((Code::H3_SETTINGS_ERROR, what));
                    }
                    enabled = value == 1;
                }
            }
            peer.send_modify(|peer| peer.connect_protocol = Some(enabled));
        }
        frames::GOAWAY => {
            if let Some(id) = take_varint(&mut payload) {
                peer.send_modify(|peer| peer.goaway = Some(id));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Publishes that a client wants to leave. It names the first push that it does not take, of which there
/// are none.
fn take_clients_goaway(mut payload: &[u8], peer: &watch::Sender<Peer>) -> Result<(), Violation> {
    let id = take_varint(&mut payload).filter(|_| payload.is_empty()).ok_or(BAD_GOAWAY)?;
    if peer.borrow().goaway.is_some_and(|before| before < id) {
        return Err((Code::H3_ID_ERROR, "a GOAWAY that goes back on the one before"));
    }
    peer.send_modify(|peer| peer.goaway = Some(id));
    Ok(())
}

const BAD_GOAWAY: Violation = (Code::H3_FRAME_ERROR, "a GOAWAY that is not one number");

fn whole(kind: u64, payload: &[u8]) -> Bytes {
    let (header, len) = frame_header(kind, payload.len());
    let mut frame = BytesMut::with_capacity(len + payload.len());
    frame.extend_from_slice(header.get(..len).unwrap_or_default());
    frame.extend_from_slice(payload);
    frame.freeze()
}

/// The type of a push stream, RFC 9114 §6.2.2.
const PUSH: u64 = 0x1;
/// RFC 9220 §5.
const ENABLE_CONNECT_PROTOCOL: u64 = 0x8;
/// Bytes; SETTINGS are the largest frame and take a few dozen.
const FRAME_MAX: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> (Result<Vec<u8>, Code>, Peer) {
        read_as(true, input)
    }

    /// What passes, however the bytes are cut, and what was noted.
    fn read_as(is_client: bool, input: &[u8]) -> (Result<Vec<u8>, Code>, Peer) {
        let mut results = (1..=input.len()).map(|cut| {
            let (peer, mut reader, mut out) =
                (watch::Sender::default(), UniReader::new(is_client), Vec::new());
            for piece in input.chunks(cut) {
                reader.push(Bytes::copy_from_slice(piece));
                loop {
                    match reader.next(&peer) {
                        Ok(Some(bytes)) => out.extend_from_slice(&bytes),
                        Ok(None) => break,
                        Err((code, _)) => return (Err(code), *peer.borrow()),
                    }
                }
            }
            (Ok(out), *peer.borrow())
        });
        let first = results.next().expect("input is not empty");
        for other in results {
            assert_eq!(other.0, first.0);
            assert_eq!(other.1.connect_protocol, first.1.connect_protocol);
            assert_eq!(other.1.goaway, first.1.goaway);
        }
        first
    }

    #[test]
    // RFC: H3WS-5-01, H2WS-3-01, H2WS-3-02
    // THREAT: settings
    fn the_setting_is_noted_and_only_0_or_1_is_taken() {
        let cases: [(&[u8], Result<bool, Code>); 5] = [
            (b"\x00\x04\x00", Ok(false)),
            (b"\x00\x04\x02\x08\x01", Ok(true)),
            (b"\x00\x04\x02\x08\x00", Ok(false)),
            (b"\x00\x04\x04\x06\x20\x08\x01", Ok(true)),
            (b"\x00\x04\x02\x08\x02", Err(Code::H3_SETTINGS_ERROR)),
        ];
        for (input, expected) in cases {
            let (passed, peer) = read(input);
            assert_eq!(passed.clone().map(|_| peer.connect_protocol == Some(true)), expected);
            if let Ok(passed) = passed {
                assert_eq!(passed, input);
                assert!(peer.connect_protocol.is_some());
            }
        }
    }

    #[test]
    fn goaway_is_noted_and_passed_on() {
        let (passed, peer) = read(b"\x00\x04\x00\x07\x01\x08");
        assert_eq!(passed.as_deref(), Ok(&b"\x00\x04\x00\x07\x01\x08"[..]));
        assert_eq!(peer.goaway, Some(8));
    }

    // RFC: H3-5.2-01
    #[test]
    fn the_goaway_of_a_client_is_noted_and_goes_no_further() {
        let settings = b"\x00\x04\x00";
        let rows: [(&[u8], Result<u64, Code>); 7] = [
            (b"\x07\x01\x08", Ok(8)),
            (b"\x07\x01\x08\x07\x01\x08\x07\x01\x00", Ok(0)),
            (b"\x07\x02\x40\x08", Ok(8)),
            (b"\x07\x01\x00\x07\x01\x08", Err(Code::H3_ID_ERROR)),
            (b"\x07\x00", Err(Code::H3_FRAME_ERROR)),
            (b"\x07\x01\x40", Err(Code::H3_FRAME_ERROR)),
            (b"\x07\x02\x08\x08", Err(Code::H3_FRAME_ERROR)),
        ];
        for (frames, expected) in rows {
            let (passed, peer) = read_as(false, &[&settings[..], frames, b"\x0d\x01\x05"].concat());
            let rest = [&settings[..], b"\x0d\x01\x05"].concat();
            assert_eq!(passed, expected.map(|_| rest), "{frames:x?}");
            if let Ok(id) = expected {
                assert_eq!(peer.goaway, Some(id));
            }
        }
    }

    #[test]
    // RFC: H3-9-01, H3-10.5-01, H3-7.2.1-01
    // THREAT: frame-flood
    fn unknown_frames_are_dropped_and_large_ones_refused() {
        let (passed, _) = read(b"\x00\x04\x00\x21\x03abc\x07\x01\x08");
        assert_eq!(passed.as_deref(), Ok(&b"\x00\x04\x00\x07\x01\x08"[..]));
        assert_eq!(read(b"\x00\x04\x80\x00\x10\x01").0, Err(Code::H3_EXCESSIVE_LOAD));
        assert_eq!(read(b"\x00\x00\x01").0, Err(Code::H3_FRAME_UNEXPECTED));
    }

    #[test]
    // RFC: H3-6.2.1-01
    fn no_frame_comes_before_settings_not_even_one_to_be_ignored() {
        for first in [&b"\x00\x21\x03abc"[..], b"\x00\x21\x00", b"\x00\x07\x01\x00"] {
            let input = [first, b"\x04\x00"].concat();
            assert_eq!(read(&input).0, Err(Code::H3_MISSING_SETTINGS), "{first:x?}");
        }
    }

    #[test]
    fn nobody_may_push() {
        for (is_client, code) in
            [(true, Code::H3_ID_ERROR), (false, Code::H3_STREAM_CREATION_ERROR)]
        {
            let mut reader = UniReader::new(is_client);
            reader.push(Bytes::from_static(b"\x01\x00"));
            let refused = reader.next(&watch::Sender::default());
            assert_eq!(refused.map_err(|(code, _)| code), Err(code));
        }
    }

    #[test]
    fn other_streams_pass_untouched() {
        for input in [&b"\x02abc"[..], b"\x40\x21\x00\x00\x00", b"\x03"] {
            assert_eq!(read(input).0.as_deref(), Ok(input));
        }
    }
}
