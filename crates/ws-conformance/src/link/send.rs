//! Sending on a link: frames in every way of writing, messages whole or in fragments.

use tokio::task::yield_now;
use tokio::time::timeout;

use super::{Kind, Link};
use crate::log::{Who, brief};
use crate::wire::frame::{Frame, Length, Masking, opcode, opcode_name};

/// How octets are handed to the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WriteMode {
    /// All frames in one write.
    #[default]
    OneGo,
    /// Each frame in a write of its own.
    FrameByFrame,
    /// So many octets a write.
    Chopped(usize),
}

impl Link {
    /// Sends the frames; false once the peer has cut the stream.
    pub(crate) async fn send(&mut self, frames: &[Frame], mode: WriteMode) -> bool {
        let mut all = Vec::new();
        for frame in frames {
            let bytes = self.encode(frame);
            self.log.octets(Who::Suite, || describe(frame), &bytes);
            if frame.is_close() {
                let code = frame.payload.first_chunk().copied().map(u16::from_be_bytes);
                self.own_close_code = self.own_close_code.or(code);
                self.note_own_close();
            }
            match mode {
                WriteMode::FrameByFrame => {
                    if !self.write(&bytes).await {
                        return false;
                    }
                }
                _ => all.extend(bytes),
            }
        }
        match mode {
            WriteMode::FrameByFrame => true,
            WriteMode::OneGo => self.write(&all).await,
            WriteMode::Chopped(size) => self.write_chopped(&all, size).await,
        }
    }

    /// The octets of a frame that is about to be sent.
    pub(crate) fn encode(&mut self, frame: &Frame) -> Vec<u8> {
        self.note_control(frame);
        frame.encode(self.suite_is_client)
    }

    /// Remembers that the peer may answer this, if it is a ping or a pong.
    pub(crate) fn note_control(&mut self, frame: &Frame) {
        if matches!(frame.opcode, opcode::PING | opcode::PONG) {
            self.controls.insert(frame.payload.clone());
        }
    }

    /// From now on octets of a frame are sent one part after the other.
    pub(crate) fn begin_frame(&mut self) {
        self.is_inside_frame = true;
    }

    /// All of the frame was sent; now what waited for that.
    pub(crate) async fn end_frame(&mut self) {
        self.is_inside_frame = false;
        let owed = std::mem::take(&mut self.owed);
        if !owed.is_empty() && !self.is_over() {
            self.send(&owed, WriteMode::OneGo).await;
        }
    }

    /// Sends octets that need not be frames.
    pub(crate) async fn send_raw(&mut self, words: &str, bytes: &[u8]) -> bool {
        self.log.octets(Who::Suite, || words.to_owned(), bytes);
        self.write(bytes).await
    }

    /// Sends octets beneath the framing of the carrier.
    pub(crate) async fn send_below(&mut self, words: &str, bytes: &[u8]) -> bool {
        self.log.octets(Who::Suite, || words.to_owned(), bytes);
        self.wire.write_below(bytes).await
    }

    /// Sends octets a few at a time.
    pub(crate) async fn write_chopped(&mut self, bytes: &[u8], size: usize) -> bool {
        for chunk in bytes.chunks(size) {
            if !self.write(chunk).await {
                return false;
            }
            yield_now().await;
        }
        true
    }

    /// Sends a message, compressed where that was agreed, in fragments where a size is given.
    pub(crate) async fn send_message(
        &mut self,
        kind: Kind,
        data: &[u8],
        fragment: Option<usize>,
    ) -> bool {
        let frames = self.message_frames(kind, data, fragment);
        self.send(&frames, WriteMode::OneGo).await
    }

    /// The frames of a message. A compressed one moves the window on, so it has to be sent.
    pub(crate) fn message_frames(
        &mut self,
        kind: Kind,
        data: &[u8],
        fragment: Option<usize>,
    ) -> Vec<Frame> {
        let (payload, rsv) = match &mut self.deflate {
            Some(deflate) => (deflate.outbound.message(data), 4),
            None => (data.to_vec(), 0),
        };
        let mut frames = fragmented(kind, &payload, fragment.unwrap_or(usize::MAX));
        if let Some(first) = frames.first_mut() {
            first.rsv = rsv;
        }
        frames
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> bool {
        let whole = matches!(timeout(self.write_limit, self.wire.write(bytes)).await, Ok(true));
        if !whole && !self.broken_write {
            self.broken_write = true;
            self.log.note("the peer takes no more octets");
        }
        whole
    }

    pub(super) fn note_own_close(&mut self) {
        if !self.suite_close_sent && self.peer_close.is_none() && !self.ended_by_peer() {
            self.suite_closed_first = true;
        }
        self.suite_close_sent = true;
    }
}

/// A message cut into frames of at most `size` octets.
pub(crate) fn fragmented(kind: Kind, payload: &[u8], size: usize) -> Vec<Frame> {
    if payload.len() <= size {
        return vec![Frame::new(kind.opcode(), payload)];
    }
    let mut frames: Vec<Frame> =
        payload.chunks(size).map(|chunk| Frame::continuation(chunk).open()).collect();
    if let Some(first) = frames.first_mut() {
        first.opcode = kind.opcode();
    }
    if let Some(last) = frames.last_mut() {
        last.fin = true;
    }
    frames
}

fn describe(frame: &Frame) -> String {
    let mut words = opcode_name(frame.opcode);
    if !frame.fin {
        words.push_str(", FIN clear");
    }
    if frame.rsv != 0 {
        words.push_str(&format!(", RSV {:03b}", frame.rsv));
    }
    match frame.masking {
        Masking::ByRole => {}
        Masking::Never => words.push_str(", not masked"),
        Masking::Key(key) => words.push_str(&format!(", masked with {key:02x?}")),
    }
    match frame.length {
        Length::Minimal => {}
        Length::Sixteen => words.push_str(", length in 16 bits"),
        Length::SixtyFour => words.push_str(", length in 64 bits"),
        Length::Claimed(claimed) => words.push_str(&format!(", claims {claimed} octets")),
    }
    match (frame.opcode, frame.payload.split_first_chunk::<2>()) {
        (opcode::CLOSE, Some((code, reason))) => {
            let code = u16::from_be_bytes(*code);
            words.push_str(&format!(": {code} {}", brief(reason)));
        }
        _ => words.push_str(&format!(": {}", brief(&frame.payload))),
    }
    words
}
