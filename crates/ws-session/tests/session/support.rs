//! A session driven by raw bytes and a virtual clock.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use ws_session::{Config, Event, MaskKeys, Message, Role, Session};

/// One session whose peer is the test itself, writing and reading wire bytes.
#[derive(Debug)]
pub(crate) struct Driven {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    pub(crate) deadline: Option<Instant>,
    /// What the session wrote.
    pub(crate) written: Vec<u8>,
    /// Whether it ended its direction.
    pub(crate) shut_down: bool,
    cut: Cut,
}

/// How what the peer sends is cut into reads. `every_test_passes_however_the_input_is_cut` runs all
/// tests again with the others.
#[derive(Debug)]
pub(crate) enum Cut {
    Whole,
    Bytes,
    /// Pieces of 1 to 16 bytes, by a generator with this state.
    Random(u64),
}

/// Names the cut of this run: `bytes`, or the seed of random ones.
pub(crate) const CUT: &str = "WS_SESSION_CUT";

impl Cut {
    fn of_this_run() -> Self {
        match std::env::var(CUT).as_deref() {
            Err(_) => Self::Whole,
            Ok("bytes") => Self::Bytes,
            Ok(seed) => Self::Random(seed.parse().expect("a seed")),
        }
    }

    fn next_len(&mut self) -> usize {
        match self {
            Self::Whole => usize::MAX,
            Self::Bytes => 1,
            Self::Random(state) => {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                usize::try_from(*state >> 60).unwrap_or_default() + 1
            }
        }
    }
}

impl Driven {
    /// Has the peer take so many bytes a second and send nothing, until the session is finished; the seconds
    /// that were looked at.
    pub(crate) fn drain_slowly(&mut self, rate: usize) -> u32 {
        let mut second = 0;
        while !self.session.is_finished() {
            let now = self.now + second * Duration::from_secs(1);
            self.session.handle_timeout(now);
            while self.session.poll_event().is_some() {}
            let queue = self.session.transmit();
            let taken = queue.len().min(rate);
            queue.advance(taken);
            self.session.poll_timeout(now);
            second += 1;
        }
        second
    }

    pub(crate) fn new(session: Session) -> Self {
        let now = start();
        Self {
            session,
            now,
            deadline: None,
            written: Vec::new(),
            shut_down: false,
            cut: Cut::of_this_run(),
        }
    }

    /// A client: frames of the peer are not masked, which keeps the literals short. Its own keys
    /// are zero, so that its payloads are readable.
    pub(crate) fn client(config: Config) -> Self {
        Self::new(Session::client(config, MaskKeys::new(|| [0; 4])))
    }

    pub(crate) fn server(config: Config) -> Self {
        Self::new(Session::server(config))
    }

    /// One of each role.
    pub(crate) fn both() -> [Self; 2] {
        [Self::client(Config::default()), Self::server(Config::default())]
    }

    /// Polls, writes and shuts down until nothing moves, and returns the messages.
    pub(crate) fn turn(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let mut moved = false;
            while let Some(event) = self.session.poll_event() {
                moved = true;
                match event {
                    Event::Message(message) => messages.push(message),
                    Event::Chunk { .. } => panic!("a chunk that nobody asked for"),
                    Event::Finished => {}
                }
            }
            let queue = self.session.transmit();
            moved |= !queue.is_empty();
            let bytes = queue.copy_to_bytes(queue.len());
            self.written.extend_from_slice(&bytes);
            if self.session.wants_shutdown() {
                self.session.handle_shutdown();
                self.shut_down = true;
                moved = true;
            }
            if !moved {
                self.deadline = self.session.poll_timeout(self.now);
                return messages;
            }
        }
    }

    /// The peer sends these bytes, in the [pieces](Cut) that this run of the tests is about.
    pub(crate) fn receive(&mut self, wire: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut rest = wire;
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(self.cut.next_len().min(rest.len()));
            self.session.read_buffer().extend_from_slice(piece);
            messages.extend(self.turn());
            rest = more;
        }
        messages
    }

    /// The peer sends these short frames, which are written without masks: those of a client get a key
    /// of zeros.
    pub(crate) fn hear(&mut self, mut frames: &[u8]) -> Vec<Message> {
        if self.session.role() == Role::Client {
            return self.receive(frames);
        }
        let mut wire = Vec::new();
        while let [first, len, rest @ ..] = frames {
            let (payload, behind) = rest.split_at(usize::from(*len));
            wire.extend_from_slice(&[*first, 0x80 | len, 0, 0, 0, 0]);
            wire.extend_from_slice(payload);
            frames = behind;
        }
        self.receive(&wire)
    }

    /// What was written since the last look, all of it short frames, without the masks of a client, which
    /// must be there, and a server's must not.
    pub(crate) fn said(&mut self) -> Vec<u8> {
        let (written, mut frames) = (self.take_written(), Vec::new());
        if self.session.role() == Role::Server {
            return written;
        }
        let mut rest = &written[..];
        while let [first, len @ 0x80..=0xfd, 0, 0, 0, 0, behind @ ..] = rest {
            let (payload, behind) = behind.split_at(usize::from(len & 0x7f));
            frames.extend_from_slice(&[*first, len & 0x7f]);
            frames.extend_from_slice(payload);
            rest = behind;
        }
        assert!(rest.is_empty(), "not masked: {rest:02x?}");
        frames
    }

    /// The peer ends its direction.
    pub(crate) fn end(&mut self) -> Vec<Message> {
        self.session.receive_eof();
        self.turn()
    }

    /// Time passes, and the session acts on every deadline on the way.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Message> {
        let until = self.now + time;
        let mut messages = self.turn();
        while let Some(deadline) = self.deadline.filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            self.session.handle_timeout(self.now);
            messages.extend(self.turn());
        }
        self.now = until;
        messages.extend(self.turn());
        messages
    }

    pub(crate) fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    /// The name of the cause, once the session is over.
    pub(crate) fn cause(&self) -> &'static str {
        self.session.outcome().expect("the session is over").cause.reason()
    }
}

/// Carries everything between two sessions until nothing moves; returns what each received.
pub(crate) fn exchange(a: &mut Session, b: &mut Session) -> (Vec<Message>, Vec<Message>) {
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    loop {
        let moved = carry(a, b, &mut at_b) | carry(b, a, &mut at_a);
        if !moved {
            return (at_a, at_b);
        }
    }
}

fn carry(from: &mut Session, to: &mut Session, received: &mut Vec<Message>) -> bool {
    let queue = from.transmit();
    let bytes = queue.copy_to_bytes(queue.len());
    let mut moved = !bytes.is_empty();
    to.read_buffer().extend_from_slice(&bytes);
    if from.wants_shutdown() {
        from.handle_shutdown();
        to.receive_eof();
        moved = true;
    }
    for session in [&mut *from, to] {
        while let Some(event) = session.poll_event() {
            moved = true;
            if let Event::Message(message) = event {
                received.push(message);
            }
        }
    }
    moved
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant can only be had from the clock; it stays"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// The events and the bytes of a session that receives `wire` in these pieces and then EOF.
pub(crate) fn outcome_of(session: Session, pieces: &[&[u8]]) -> (Vec<Message>, Vec<u8>, String) {
    let mut driven = Driven::new(session);
    let mut messages = Vec::new();
    for piece in pieces {
        messages.extend(driven.receive(piece));
    }
    messages.extend(driven.end());
    let outcome = driven.session.outcome().expect("the session is over");
    let outcome = format!("{} {:?} {}", outcome.code, outcome.reason, outcome.cause.reason());
    (messages, driven.written, outcome)
}

/// Checks that every cut of the input gives the same events, the same output and the same outcome.
pub(crate) fn check_every_cut(new: impl Fn() -> Session, wire: &[u8]) {
    let whole = outcome_of(new(), &[wire]);
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    assert_eq!(outcome_of(new(), &bytes), whole, "{wire:02x?} byte by byte");
    for cut in 0..wire.len() {
        let (head, tail) = wire.split_at(cut);
        assert_eq!(outcome_of(new(), &[head, tail]), whole, "{wire:02x?} cut at {cut}");
    }
}

/// The bytes that a session has to write.
pub(crate) fn transmitted(session: &mut Session) -> BytesMut {
    let queue = session.transmit();
    BytesMut::from(&queue.copy_to_bytes(queue.len())[..])
}
