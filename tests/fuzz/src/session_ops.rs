//! One session in the hands of a peer, a clock, a transport and an application that all do what the
//! bytes say: one close frame and nothing behind it, what was accepted leaves in order, the end is
//! reported once and comes whatever happens, memory stays within the promise.

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use ws_deflate::{Config as DeflateConfig, Deflater, Inflater, client, server};
use ws_frame::{FrameEncoder, OpCode, WriteQueue};
use ws_session::{
    CloseCode, CloseFrame, Compress, Config, DataKind, Event, Failure, Limits, MaskKeys, Message,
    Prepared, Role, SendError, Session, TransportError,
};

use crate::reference::frames::{Found, Frame, frame};
use crate::source::Source;

/// Panics when a promise of the session is broken.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let mut world = World::new(source.byte(), source.byte());
    // However long the input, the story has an end.
    for _ in 0..2000 {
        if source.is_empty() {
            break;
        }
        world.step(&mut source);
        world.poll(false);
    }
    world.end();
}

/// What the peer may send, kept small so that limits are met often.
const MAX_FRAME: usize = 400;
const MAX_MESSAGE: usize = 600;
const HIGH_WATER: usize = 300;
/// The most an application sends at once here.
const MOST_SENT: usize = 5000;

struct World {
    session: Session,
    role: Role,
    now: Instant,
    /// The peer's compressor, to send it something that inflates.
    deflater: Option<Deflater>,
    /// The peer's decompressor, to read what was sent.
    inflater: Option<Inflater>,
    peer: FrameEncoder,
    /// What the session wrote and the peer has not read.
    written: BytesMut,
    /// Data frames that were accepted for sending and have not been read: whole payloads.
    expected: Vec<(OpCode, bool, Vec<u8>)>,
    close_seen: bool,
    close_received: bool,
    finished_events: usize,
    wanted_read: bool,
    received: usize,
    events: usize,
    /// Whether the message that the peer reads is compressed.
    compressed: bool,
    /// Whether the peer closed first, so that our close frame is the last of all.
    answers: bool,
}

impl World {
    fn new(flags: u8, more: u8) -> Self {
        let bit = |n: u8| flags & (1 << n) != 0;
        let mut config = Config::default();
        config.limits = Limits::default()
            .with_max_frame(MAX_FRAME)
            .with_max_message(MAX_MESSAGE)
            .with_max_fragments(8);
        config.high_water = HIGH_WATER;
        config.iana_close_codes = bit(1);
        if bit(6) {
            // Met where compression is used.
            config.memory_budget = 128 * 1024;
        }
        let deflate = DeflateConfig::default()
            .threshold(usize::from(more & 0x1f))
            .level(more >> 5)
            .server_no_context_takeover(bit(3))
            .client_no_context_takeover(bit(4))
            .server_max_window_bits(if bit(5) { 9 } else { 15 });
        let (at_server, answer) =
            server::negotiate(&deflate, &[client::offer(&deflate)]).expect("our own offer");
        let at_client = client::accept(&deflate, &answer).expect("our own answer");
        let keys = || MaskKeys::new(|| [0x12, 0x34, 0x56, 0x78]);
        let (role, mut session, params, peers) = if bit(0) {
            (Role::Client, Session::client(config, keys()), at_client, at_server)
        } else {
            (Role::Server, Session::server(config), at_server, at_client)
        };
        let with_deflate = bit(2);
        if with_deflate {
            session = session.with_deflate(params, &deflate);
        }
        Self {
            session,
            role,
            now: Instant::now(),
            deflater: with_deflate.then(|| peers.deflater(&deflate)).flatten(),
            inflater: with_deflate.then(|| peers.inflater()),
            peer: match role {
                Role::Server => FrameEncoder::client(keys()),
                Role::Client => FrameEncoder::server(),
            },
            written: BytesMut::new(),
            expected: Vec::new(),
            close_seen: false,
            close_received: false,
            finished_events: 0,
            wanted_read: true,
            received: 0,
            events: 0,
            compressed: false,
            answers: false,
        }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        let what = source.byte();
        match what & 0x0f {
            0 => {
                let len = usize::from(source.byte());
                let bytes = source.bytes(len);
                self.receive(bytes);
            }
            1 | 2 => self.receive_frame(source),
            3 => self.receive_compressed(source),
            4 | 5 => self.send(source),
            6 => self.send_fragment(source),
            7 => self.close(source),
            8 => {
                let most = usize::from(source.byte()) * 4;
                self.write(most);
            }
            9 => self.pass(source.byte()),
            10 => self.poll(true),
            11 => match what >> 4 {
                0 => self.session.receive_eof(),
                1 => self.session.receive_error(TransportError::Closed),
                2 => self.session.fail(Failure::HandlerFailed),
                3 => self.session.release(),
                4 => self.session.set_flushing(source.byte() & 1 != 0),
                _ => {}
            },
            12 => {
                if self.session.wants_shutdown() {
                    assert!(self.session.transmit().is_empty(), "the goodbye is out first");
                    self.session.handle_shutdown();
                }
            }
            13 => {
                let deadline = self.session.poll_timeout(self.now);
                if let Some(deadline) = deadline {
                    self.now = self.now.max(deadline);
                    self.session.handle_timeout(self.now);
                }
            }
            14 => {
                // A driver that waits for room to write.
                let _deadline = self.session.poll_write_timeout(self.now);
                self.now += Duration::from_secs(u64::from(what >> 4));
                self.session.handle_write_timeout(self.now);
            }
            _ => self.send_prepared(source),
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        if self.session.wants_read() {
            self.received += bytes.len();
            self.session.read_buffer().extend_from_slice(bytes);
        }
    }

    /// A frame that is right as far as its own header goes; what it means now is another matter.
    fn receive_frame(&mut self, source: &mut Source<'_>) {
        let first = source.byte();
        let opcode = [
            OpCode::Text,
            OpCode::Binary,
            OpCode::Continuation,
            OpCode::Ping,
            OpCode::Pong,
            OpCode::Close,
        ][usize::from(first & 7) % 6];
        let len = usize::from(source.byte());
        let payload = source.bytes(if opcode.is_control() { len.min(125) } else { len });
        let fin = opcode.is_control() || first & 8 != 0;
        self.receive_encoded(opcode, fin, 0, payload);
    }

    fn receive_compressed(&mut self, source: &mut Source<'_>) {
        let Some(mut deflater) = self.deflater.take() else { return };
        let first = source.byte();
        let times = usize::from(first >> 4) * 8 + 1;
        let len = usize::from(source.byte());
        let message = source.bytes(len).repeat(times);
        let mut payload = BytesMut::new();
        deflater.compress(&message, true, &mut payload);
        self.deflater = Some(deflater);
        if payload.len() > MAX_FRAME {
            // It will be refused; its window is lost to both.
            return;
        }
        let opcode = if first & 1 != 0 { OpCode::Text } else { OpCode::Binary };
        let at = if first & 2 != 0 { payload.len() / 2 } else { payload.len() };
        let (head, tail) = payload.split_at(at);
        self.receive_encoded(opcode, tail.is_empty(), 4, head);
        if !tail.is_empty() {
            self.receive_encoded(OpCode::Continuation, true, 0, tail);
        }
    }

    fn receive_encoded(&mut self, opcode: OpCode, fin: bool, reserved: u8, payload: &[u8]) {
        let mut queue = WriteQueue::new();
        self.peer.encode_slice(opcode, fin, reserved, payload, &mut queue);
        let wire = queue.copy_to_bytes(queue.len());
        self.receive(&wire);
    }

    fn send(&mut self, source: &mut Source<'_>) {
        if !self.session.is_writable() {
            return;
        }
        let kind = source.byte();
        let len = usize::from(source.byte());
        let times = if kind & 0x10 != 0 { 8 } else { 1 };
        let payload = source.bytes(len).repeat(times);
        let message = match kind & 7 {
            0 | 1 => match String::from_utf8(payload) {
                Ok(text) => Message::text(text),
                Err(error) => Message::binary(error.into_bytes()),
            },
            2 => Message::Ping(payload.into()),
            3 => Message::Pong(payload.into()),
            _ => Message::binary(payload),
        };
        let compress = [Compress::Auto, Compress::Always, Compress::Never];
        let compress = compress[usize::from(kind >> 6) % 3];
        let was_open = self.session.is_open();
        let held = self.session.account().queued;
        let expected =
            message.data_kind().map(|_| (message.opcode(), true, message.payload().to_vec()));
        let too_long = message.data_kind().is_none() && message.payload().len() > 125;
        match self.session.send_with(message, compress) {
            Ok(()) => {
                assert!(was_open && !too_long);
                self.expected.extend(expected);
            }
            Err(error) => {
                assert_eq!(self.session.account().queued, held, "a refusal queues nothing");
                assert_eq!(error == SendError::Closed, !was_open);
            }
        }
    }

    fn send_prepared(&mut self, source: &mut Source<'_>) {
        if !self.session.is_writable() {
            return;
        }
        let len = usize::from(source.byte());
        let payload = source.bytes(len).to_vec();
        let prepared = Prepared::new(Message::binary(payload.clone())).expect("a data message");
        if self.session.send_prepared(&prepared).is_ok() {
            self.expected.push((OpCode::Binary, true, payload));
        }
    }

    fn send_fragment(&mut self, source: &mut Source<'_>) {
        if !self.session.is_writable() {
            return;
        }
        let flags = source.byte();
        let kind = if flags & 1 != 0 { DataKind::Text } else { DataKind::Binary };
        let len = usize::from(source.byte());
        let data = Bytes::copy_from_slice(source.bytes(len));
        let fin = flags & 2 != 0;
        if self.session.send_fragment(kind, data.clone(), fin).is_ok() {
            match self.expected.last_mut() {
                // The reader puts the fragments together again.
                Some((opcode, whole, bytes)) if !*whole => {
                    assert_eq!(*opcode, OpCode::from(kind), "one message, one kind");
                    bytes.extend_from_slice(&data);
                    *whole = fin;
                }
                _ => self.expected.push((kind.into(), fin, data.to_vec())),
            }
        }
    }

    fn close(&mut self, source: &mut Source<'_>) {
        let code = CloseCode::new(source.short());
        let len = usize::from(source.byte());
        let reason = String::from_utf8_lossy(source.bytes(len)).into_owned();
        let frame = (code.get() != 0).then(|| CloseFrame::new(code, reason));
        let was_open = self.session.is_open();
        let closed = self.session.close(frame);
        assert_eq!(closed == Err(SendError::Closed), !was_open);
        if closed.is_ok() {
            assert!(!self.session.is_open());
        }
    }

    /// The transport takes up to `most` bytes, and the peer reads them.
    fn write(&mut self, most: usize) {
        let queue = self.session.transmit();
        let len = queue.len().min(most);
        let bytes = queue.copy_to_bytes(len);
        self.written.extend_from_slice(&bytes);
        let peers = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        loop {
            match frame(&self.written, peers, self.inflater.is_some(), u64::MAX >> 1) {
                Found::Frame(frame) if frame.is_whole() => {
                    self.written.advance(frame.header.len() + frame.payload.len());
                    self.check_written(&frame);
                }
                Found::Frame(_) | Found::Keyless(_) | Found::Nothing => break,
                wrong => panic!("the session wrote {wrong:?}"),
            }
        }
    }

    fn check_written(&mut self, frame: &Frame) {
        if frame.opcode == 10 {
            // RFC 6455 §5.5.2: until the peer closes too, its pings are answered.
            assert!(!(self.close_seen && self.answers), "a pong behind the goodbye");
            return;
        }
        assert!(!self.close_seen, "something behind the close frame: {frame:?}");
        match frame.opcode {
            8 => {
                self.close_seen = true;
                if let [high, low, reason @ ..] = &frame.payload[..] {
                    let code = CloseCode::new(u16::from_be_bytes([*high, *low]));
                    let iana = self.session.config().iana_close_codes;
                    assert!(code.is_valid_on_wire() || iana && code.is_valid_with_iana(), "{code}");
                    assert!(std::str::from_utf8(reason).is_ok(), "the reason is text");
                }
            }
            9 => {}
            _ => self.check_data(frame),
        }
    }

    /// Data leaves in the order it was accepted, and inflates to what it was.
    fn check_data(&mut self, frame: &Frame) {
        let Some((opcode, whole, bytes)) = self.expected.first_mut() else {
            panic!("data that nobody sent: {frame:?}");
        };
        let fin = frame.fin && *whole;
        if frame.opcode != 0 {
            assert_eq!(frame.opcode, opcode.get());
        }
        if frame.opcode != 0 {
            self.compressed = frame.reserved == 4;
        }
        let payload = if self.compressed {
            let inflater = self.inflater.as_mut().expect("RSV1 was negotiated");
            let limits = ws_deflate::InflateLimits::default();
            let mut out = BytesMut::new();
            inflater.inflate(&frame.payload, &mut out, &limits).expect("it inflates");
            if frame.fin {
                inflater.finish(&limits).expect("it is whole");
            }
            out.to_vec()
        } else {
            frame.payload.clone()
        };
        assert!(bytes.starts_with(&payload), "other bytes than were sent");
        bytes.drain(..payload.len());
        if fin {
            assert!(bytes.is_empty(), "a message without its end");
            self.expected.remove(0);
        }
    }

    fn pass(&mut self, how: u8) {
        let seconds = [0, 1, 4, 6, 29, 31, 61, 200][usize::from(how & 7)];
        self.now += Duration::from_secs(seconds) + Duration::from_millis(u64::from(how >> 3));
        self.session.handle_timeout(self.now);
    }

    /// Polls until there is nothing more, and looks at what must hold between any two calls.
    fn poll(&mut self, in_chunks: bool) {
        loop {
            let was_open = self.session.is_open();
            let event =
                if in_chunks { self.session.poll_chunk() } else { self.session.poll_event() };
            let Some(event) = event else { break };
            assert_eq!(self.finished_events, 0, "nothing comes behind the end");
            self.events += 1;
            assert!(self.events <= 2 * self.received + 2, "events out of nothing");
            match event {
                Event::Message(Message::Text(text)) => {
                    assert!(std::str::from_utf8(text.as_bytes()).is_ok());
                    assert!(text.len() <= MAX_MESSAGE);
                }
                Event::Message(Message::Binary(bytes)) => assert!(bytes.len() <= MAX_MESSAGE),
                Event::Message(Message::Close(_)) => {
                    assert!(!self.close_received, "one close frame is one event");
                    self.close_received = true;
                    self.answers = was_open;
                }
                Event::Message(_) => {}
                Event::Chunk { data, .. } => assert!(data.len() <= MAX_MESSAGE),
                Event::Finished => {
                    assert!(self.session.is_finished());
                    self.finished_events += 1;
                }
            }
        }
        let session = &mut self.session;
        assert_eq!(session.is_finished(), self.finished_events == 1);
        assert_eq!(session.outcome().is_some(), session.is_finished());
        assert!(self.wanted_read || !session.wants_read(), "what is not wanted stays unwanted");
        self.wanted_read = session.wants_read();
        let account = session.account();
        // A buffer may have room for twice what is in it.
        assert!(account.received <= 2 * (MAX_FRAME + MAX_MESSAGE + 2048), "{account:?}");
        assert!(account.queued <= HIGH_WATER + MOST_SENT + 1000, "{account:?}");
        if session.is_finished() {
            assert!(!session.is_open() && !session.wants_read() && !session.wants_shutdown());
            assert_eq!((account.received, account.queued, account.compression), (0, 0, 0));
            assert!(session.transmit().is_empty());
            assert_eq!(session.poll_timeout(self.now), None);
        } else {
            assert!(session.poll_timeout(self.now).is_some(), "waiting has a deadline");
        }
    }

    /// From any state time alone leads to the end.
    fn end(&mut self) {
        for _ in 0..200 {
            self.poll(false);
            let Some(deadline) = self.session.poll_timeout(self.now) else { break };
            self.now = self.now.max(deadline);
            self.session.handle_timeout(self.now);
        }
        assert!(self.session.is_finished(), "it never ends");
        self.write(usize::MAX);
    }
}
