//! All interleavings of what can happen to two connected sessions, to a depth, on a virtual clock:
//! frames arrive, messages and close frames are sent, time passes, directions end, connections reset,
//! applications vanish. States that are equal are explored once.
//!
//! Bytes wait at their sender until they are delivered, so a peer that does not read is among the
//! things that happen.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "there are two sessions, 0 and 1, and few of everything else"
)]

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use ws_session::{Config, Event, MaskKeys, Message, Session, TransportError};

const DEPTH: usize = 8;

/// What can happen; the number says to which of the two.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Everything that the other one has to write arrives, its end of the transport included.
    Deliver(usize),
    Send(usize),
    Close(usize),
    /// The next deadline of either comes.
    Timer,
    /// Nothing more arrives.
    Eof(usize),
    Reset(usize),
    Drop(usize),
}

const ACTS: [Act; 13] = [
    Act::Deliver(0),
    Act::Deliver(1),
    Act::Send(0),
    Act::Send(1),
    Act::Close(0),
    Act::Close(1),
    Act::Timer,
    Act::Eof(0),
    Act::Eof(1),
    Act::Reset(0),
    Act::Reset(1),
    Act::Drop(0),
    Act::Drop(1),
];

#[test]
fn every_interleaving_keeps_the_promises() {
    // The shortest path to each state of the last depth. What can follow a state was explored from
    // where it was met first, with as many acts left as it will ever have.
    let mut frontier: Vec<Vec<Act>> = vec![Vec::new()];
    let mut seen = HashSet::from([World::new().fingerprint()]);
    let mut steps = 0;
    for _ in 1..=DEPTH {
        let mut next: Vec<Vec<Act>> = Vec::new();
        for path in &frontier {
            let before = World::after(path);
            for act in ACTS {
                if !before.can(act) {
                    continue;
                }
                let mut world = World::after(path);
                world.act(act);
                steps += 1;
                if seen.insert(world.fingerprint()) {
                    let path: Vec<Act> = path.iter().copied().chain([act]).collect();
                    world.ends_by_time_alone();
                    World::after(&path).ends_when_closed();
                    next.push(path);
                }
            }
        }
        frontier = next;
    }
    let interleavings = (ACTS.len() as u64).pow(DEPTH as u32);
    println!("{} states, {steps} steps, for {interleavings} interleavings", seen.len());
    assert!(seen.len() > MET, "the acts lead somewhere: {}", seen.len());
}

struct World {
    /// A client and a server; `None` is one that is over or was dropped.
    sessions: [Option<Session>; 2],
    start: Instant,
    now: Instant,
    /// Whether either's input has ended.
    ended: [bool; 2],
    reset: bool,
    seen: [Seen; 2],
}

/// What one end has done and met so far.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    sent: u8,
    received: u8,
    closes_written: u8,
    closes_received: u8,
    finished: u8,
}

impl World {
    fn new() -> Self {
        let start = start();
        Self {
            sessions: [
                Some(Session::client(Config::default(), MaskKeys::new(|| [0; 4]))),
                Some(Session::server(Config::default())),
            ],
            start,
            now: start,
            ended: [false; 2],
            reset: false,
            seen: [Seen::default(); 2],
        }
    }

    fn after(path: &[Act]) -> Self {
        let mut world = Self::new();
        for act in path {
            world.act(*act);
        }
        world
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Deliver(to) => self.deliver(to),
            Act::Send(by) => {
                let number = self.seen[by].sent;
                let Some(session) = &mut self.sessions[by] else { return };
                let was_open = session.is_open();
                let sent = session.send(Message::binary(Bytes::copy_from_slice(&[number % 2])));
                assert_eq!(sent.is_ok(), was_open);
                self.seen[by].sent += u8::from(sent.is_ok());
            }
            Act::Close(by) => {
                let Some(session) = &mut self.sessions[by] else { return };
                let was_open = session.is_open();
                assert_eq!(session.close(None).is_ok(), was_open);
            }
            Act::Timer => self.timer(),
            Act::Eof(at) => {
                self.ended[at] = true;
                if let Some(session) = &mut self.sessions[at] {
                    session.receive_eof();
                }
            }
            Act::Reset(at) => {
                self.reset = true;
                if let Some(session) = &mut self.sessions[at] {
                    session.receive_error(TransportError::Closed);
                }
            }
            Act::Drop(at) => self.sessions[at] = None,
        }
        self.poll();
    }

    /// Whether it makes a difference: what is gone can no more be closed than it can be dropped.
    fn can(&self, act: Act) -> bool {
        let is_there = |at: usize| self.sessions[at].is_some();
        match act {
            Act::Timer => is_there(0) || is_there(1),
            Act::Deliver(to) => is_there(to) && !self.reset && !self.ended[to],
            Act::Send(at) | Act::Close(at) | Act::Eof(at) | Act::Reset(at) | Act::Drop(at) => {
                is_there(at)
            }
        }
    }

    fn deliver(&mut self, to: usize) {
        if self.reset || self.ended[to] || self.sessions[to].is_none() {
            return;
        }
        let from = 1 - to;
        let (bytes, ends) = match &mut self.sessions[from] {
            Some(session) => {
                let queue = session.transmit();
                let bytes = queue.copy_to_bytes(queue.len());
                let ends = session.wants_shutdown();
                if ends {
                    session.handle_shutdown();
                }
                (bytes, ends)
            }
            None => (Bytes::new(), true),
        };
        self.check_written(from, &bytes);
        let Some(session) = &mut self.sessions[to] else { return };
        if session.wants_read() {
            session.read_buffer().extend_from_slice(&bytes);
        }
        if ends {
            self.ended[to] = true;
            session.receive_eof();
        }
    }

    /// Whole frames of at most 125 bytes: one close frame, and behind it nothing but pongs.
    fn check_written(&mut self, by: usize, mut bytes: &[u8]) {
        while let [first, second, rest @ ..] = bytes {
            let key = if second & 0x80 != 0 { 4 } else { 0 };
            let opcode = first & 0x0f;
            let seen = &mut self.seen[by];
            assert!(seen.closes_written == 0 || opcode == 0xa, "opcode {opcode} behind a close");
            seen.closes_written += u8::from(opcode == 8);
            bytes = &rest[key + usize::from(second & 0x7f)..];
        }
        assert!(bytes.is_empty(), "frames are written whole");
    }

    fn timer(&mut self) {
        let now = self.now;
        let deadlines = self.sessions.each_mut().map(|session| session.as_mut()?.poll_timeout(now));
        let Some(next) = deadlines.into_iter().flatten().min() else { return };
        self.now = now.max(next);
        for session in self.sessions.iter_mut().flatten() {
            session.handle_timeout(self.now);
        }
    }

    fn poll(&mut self) {
        for (at, slot) in self.sessions.iter_mut().enumerate() {
            let Some(session) = slot else { continue };
            let others_sent = self.seen[1 - at].sent;
            let seen = &mut self.seen[at];
            while let Some(event) = session.poll_event() {
                assert_eq!(seen.finished, 0, "nothing comes behind the end");
                match event {
                    Event::Message(Message::Binary(bytes)) => {
                        assert_eq!(bytes[..], [seen.received % 2], "in order, none lost");
                        seen.received += 1;
                        assert!(seen.received <= others_sent);
                    }
                    Event::Message(Message::Close(_)) => seen.closes_received += 1,
                    Event::Message(_) => {}
                    Event::Chunk { .. } => panic!("nobody asked for chunks"),
                    Event::Finished => seen.finished += 1,
                }
            }
            assert!(seen.closes_received <= 1 && seen.closes_written <= 1);
            assert_eq!(seen.finished == 1, session.is_finished());
            assert_eq!(session.outcome().is_some(), session.is_finished());
            // A few messages of a byte, pings, a close frame.
            let account = session.account();
            assert!(account.received + account.queued <= DEPTH * 64, "{account:?}");
            let has_deadline = session.poll_timeout(self.now).is_some();
            assert_eq!(has_deadline, !session.is_finished(), "all waiting has a deadline");
            if session.is_finished() {
                assert_eq!((account.received, account.queued), (0, 0));
                *slot = None;
            }
        }
    }

    /// Nothing is delivered any more, and nobody does anything.
    fn ends_by_time_alone(mut self) {
        for _ in 0..10 {
            if self.can(Act::Timer) {
                self.act(Act::Timer);
            }
        }
        self.assert_over();
        assert!(self.now - self.start < Duration::from_secs(10 * 60));
    }

    /// Everything is delivered, and both close.
    fn ends_when_closed(mut self) {
        self.act(Act::Close(0));
        self.act(Act::Close(1));
        let network = [Act::Deliver(0), Act::Deliver(1)].repeat(4);
        for act in network.into_iter().chain([Act::Timer; 4]) {
            if self.can(act) {
                self.act(act);
            }
        }
        self.assert_over();
    }

    fn assert_over(&self) {
        assert!(self.sessions.iter().all(Option::is_none), "{:?}", self.sessions);
    }

    /// Equal for worlds that cannot be told apart by what happens from now on.
    fn fingerprint(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for at in [0, 1] {
            let text = self.sessions[at].as_ref().map(|session| format!("{session:?}"));
            let text = text.map(|text| self.relative(&text));
            text.hash(&mut hasher);
            if let Some(session) = &mut self.sessions[at] {
                session.transmit().chunk().hash(&mut hasher);
                self.ended[at].hash(&mut hasher);
            }
            let seen = &self.seen[at];
            let under_way = seen.sent - self.seen[1 - at].received;
            (seen.sent % 2, under_way, seen.closes_written, seen.closes_received).hash(&mut hasher);
        }
        self.reset.hash(&mut hasher);
        hasher.finish()
    }

    /// What a session shows of itself, with the seconds of its instants counted from now, without its
    /// configuration, and without counters that only say how much there was.
    fn relative(&self, text: &str) -> String {
        let number = |text: &str| -> (i64, usize) {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            (text[..end].parse().expect("a number"), end)
        };
        let now = format!("{:?}", self.now);
        let (_, now) = now.split_once(SECONDS).expect("an instant");
        let (now, _) = number(now);
        let (_, mut rest) = text.split_once("inbound: ").expect("a session");
        let mut relative = String::with_capacity(rest.len());
        while let Some((at, name)) =
            NUMBERS.iter().filter_map(|name| Some((rest.find(name)?, name))).min()
        {
            let (before, after) = rest.split_at(at + name.len());
            let (value, end) = number(after);
            relative.push_str(before);
            if *name == SECONDS {
                relative.push_str(&(value - now).to_string());
            }
            rest = &after[end..];
        }
        relative + rest
    }
}

/// What an instant writes before its seconds.
const SECONDS: &str = if cfg!(windows) { "Instant { t: " } else { "tv_sec: " };
/// Shown numbers that are not compared as they are. What was written is always known to the timers
/// here, and how reads grow is nothing that happens to bytes that are simply there.
const NUMBERS: [&str; 4] = [SECONDS, "written: ", "burst: ", "quiet: "];
/// Fewer states than this would mean that acts had no effect.
const MET: usize = 1000;

#[test]
fn worlds_at_another_time_are_equal_and_others_are_not() {
    let of = |path: &[Act]| World::after(path).fingerprint();
    assert_eq!(of(&[Act::Close(0), Act::Drop(1)]), of(&[Act::Drop(1), Act::Close(0)]));
    assert_ne!(of(&[Act::Close(0)]), of(&[Act::Close(1)]));
    assert_ne!(of(&[]), of(&[Act::Send(0)]));
    // Pings and pongs, once and twice.
    let (here, there) = (Act::Deliver(0), Act::Deliver(1));
    let round = [Act::Timer, here, there, here, there];
    assert_ne!(of(&round), of(&[]), "a ping was sent");
    assert_eq!(of(&round), of(&round.repeat(2)), "only the time is another");
    assert!(World::after(&round).now < World::after(&round.repeat(2)).now);
}

/// The same instant for all worlds: what they show of their instants is compared.
fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the virtual clock needs a first instant")]
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    *START
}
