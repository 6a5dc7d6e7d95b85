//! The load generator: one thread, readiness by `mio`, frames built beforehand.
//!
//! Each connection sends a batch of `depth` messages with one write, waits until every reply is
//! there, and sends the next batch. The first round of every connection is compared byte by byte
//! with what a correct server must send; only then the clock starts. While it runs, bytes are
//! counted: a reply more or less stops the run.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mio::net::TcpStream as Socket;
use mio::{Events, Interest, Poll, Token};

use crate::process;
use crate::reply::Replies;
use crate::server::Reply;
use crate::wire::{self, Content};

/// What to send, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub port: u16,
    /// The server's process, whose CPU time is read.
    pub pid: u32,
    /// Raw: no handshake, and frames come back as they are.
    pub reply: Reply,
    pub work: Work,
}

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub connections: usize,
    pub size: usize,
    /// How many frames each message has.
    pub fragments: usize,
    pub depth: usize,
    pub end: End,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub enum End {
    After(Duration),
    /// This many batches on each connection; for counting.
    Rounds(u64),
}

impl End {
    /// Whether that is enough, so many rounds after `start`.
    pub fn is_reached(self, start: Instant, rounds: u64) -> bool {
        match self {
            Self::After(time) => start.elapsed() >= time,
            Self::Rounds(wanted) => rounds >= wanted,
        }
    }

    /// As one word.
    pub fn to_text(self) -> String {
        match self {
            Self::After(time) => format!("ms:{}", time.as_millis()),
            Self::Rounds(rounds) => format!("rounds:{rounds}"),
        }
    }

    /// From [`End::to_text`].
    pub fn from_text(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("ms", time) => Some(Self::After(Duration::from_millis(time.parse().ok()?))),
            ("rounds", rounds) => Some(Self::Rounds(rounds.parse().ok()?)),
            _ => None,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    pub messages: u64,
    pub seconds: f64,
    pub server_cpu_ns: u64,
}

/// Connects, verifies, warms up, measures.
pub fn run(plan: &Plan) -> Result<Measured, String> {
    let mut generator = Generator::new(plan).map_err(|error| format!("connecting: {error}"))?;
    measure(plan.pid, plan.work.end, |end, verify| generator.phase(end, verify))
}

/// Verifies, warms up, measures, by phases that end as told and return how many messages came back.
pub fn measure(
    pid: u32,
    end: End,
    mut phase: impl FnMut(End, bool) -> Result<u64, String>,
) -> Result<Measured, String> {
    phase(End::Rounds(1), true)?;
    if let End::After(time) = end {
        phase(End::After(time / 5), false)?;
    }
    let cpu = process::cpu_time(pid)?;
    let start = Instant::now();
    let messages = phase(end, false)?;
    let seconds = start.elapsed().as_secs_f64();
    // The server sleeps now: every reply is here, so its account is complete.
    let server_cpu_ns = process::cpu_time(pid)? - cpu;
    Ok(Measured { messages, seconds, server_cpu_ns })
}

/// A connection after its handshake, the `number`th of many; without a request before it.
pub fn connect(port: u16, request: Option<&[u8]>, number: usize) -> io::Result<TcpStream> {
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let mut stream = match number / PORTS {
        0 => TcpStream::connect(address)?,
        more => {
            let from = 1 + u8::try_from(more).map_err(io::Error::other)?;
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
            socket.bind(&SocketAddr::from(([127, 0, 0, from], 0)).into())?;
            socket.connect(&address.into())?;
            TcpStream::from(socket)
        }
    };
    stream.set_nodelay(true)?;
    if let Some(request) = request {
        stream.write_all(request)?;
        receive_answer(&mut stream)?;
    }
    Ok(stream)
}

/// What opens a connection on which replies are such.
fn request(reply: Reply) -> Option<Vec<u8>> {
    match reply {
        Reply::Raw => None,
        Reply::Whole | Reply::Fragments => Some(wire::REQUEST.to_vec()),
        Reply::Compressed => Some(wire::request_with_deflate()),
    }
}

/// Opens so many connections side by side, sends all requests, checks all answers, and closes.
pub fn open_and_close(port: u16, count: usize) -> io::Result<()> {
    let mut streams = Vec::with_capacity(count);
    for number in 0..count {
        streams.push(connect(port, None, number)?);
    }
    for stream in &mut streams {
        stream.write_all(wire::REQUEST)?;
    }
    streams.iter_mut().try_for_each(receive_answer)
}

/// Checks the answer, which must be all that comes.
fn receive_answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&buffer[..count]);
    }
    check_answer(&head)
}

/// Whether this is the answer to our request.
pub fn check_answer(head: &[u8]) -> io::Result<()> {
    let accepted =
        head.starts_with(b"HTTP/1.1 101 ") && memchr::memmem::find(head, wire::ACCEPT).is_some();
    if accepted { Ok(()) } else { Err(io::Error::other("the handshake was refused")) }
}

/// How many connections one loopback address has ports for, with room to spare.
const PORTS: usize = 20_000;

/// Connections that are open, and what to send on them.
pub struct Generator {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    batch: Vec<u8>,
    /// The bytes of the replies; where they may be fragmented, of their payloads.
    expected: Vec<u8>,
    buffer: Vec<u8>,
    depth: u64,
    reply: Reply,
}

struct Connection {
    socket: Socket,
    sent: usize,
    /// Bytes of `expected` that have come.
    received: usize,
    replies: Replies,
    rounds: u64,
    idle: bool,
}

impl Generator {
    /// Connects.
    pub fn new(plan: &Plan) -> io::Result<Self> {
        let (poll, request) = (Poll::new()?, request(plan.reply));
        let mut connections = Vec::with_capacity(plan.work.connections);
        for token in 0..plan.work.connections {
            let stream = connect(plan.port, request.as_deref(), token)?;
            stream.set_nonblocking(true)?;
            let mut socket = Socket::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut socket, Token(token), interest)?;
            let replies = Replies::default();
            let connection =
                Connection { socket, sent: 0, received: 0, replies, rounds: 0, idle: true };
            connections.push(connection);
        }
        let mut generator = Self {
            poll,
            events: Events::with_capacity(1024),
            connections,
            batch: Vec::new(),
            expected: Vec::new(),
            buffer: vec![0; 256 * 1024],
            depth: 0,
            reply: plan.reply,
        };
        generator.reload(plan.work)?;
        Ok(generator)
    }

    /// Builds the frames of a batch, and the replies to them. What is compressed is so by a fresh
    /// context: a server that keeps its own from message to message sends such a reply once.
    pub fn reload(&mut self, work: Work) -> io::Result<()> {
        let size = work.size;
        self.batch.clear();
        self.expected.clear();
        self.depth = work.depth as u64;
        for number in 0..self.depth {
            let (opcode, payload) = match self.reply {
                Reply::Raw | Reply::Whole | Reply::Fragments => {
                    (wire::BINARY, wire::payload(Content::Binary, size, number + 1))
                }
                Reply::Compressed => {
                    let text = wire::payload(Content::Ascii, size, number + 1);
                    let compressed = wire::deflate(&mut wire::fresh_context(), &text)?;
                    (wire::TEXT | wire::COMPRESSED, compressed)
                }
            };
            let key = [0x11, 0xa2, 0x53, 0xe4 ^ number as u8];
            wire::client_message(opcode, work.fragments, key, &payload, &mut self.batch);
            match self.reply {
                Reply::Raw => {}
                Reply::Whole | Reply::Compressed => {
                    wire::server_frame(opcode, &payload, &mut self.expected);
                }
                Reply::Fragments => self.expected.extend_from_slice(&payload),
            }
        }
        if self.reply == Reply::Raw {
            self.expected.clone_from(&self.batch);
        }
        Ok(())
    }

    /// Runs batches until the end, then lets every connection finish its batch. Returns how many
    /// messages came back.
    pub fn phase(&mut self, end: End, verify: bool) -> Result<u64, String> {
        let start = Instant::now();
        let mut last_progress = start;
        let mut finished = 0;
        let mut rounds = 0;
        for index in 0..self.connections.len() {
            self.connections[index].rounds = 0;
            self.connections[index].idle = false;
            rounds += self.drive(index, end, start, verify, &mut finished)?;
        }
        while finished < self.connections.len() {
            let polled = self.poll.poll(&mut self.events, Some(Duration::from_secs(1)));
            match polled {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(|error| error.to_string())?,
            }
            let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
            if !ready.is_empty() {
                last_progress = Instant::now();
            } else if last_progress.elapsed() > Duration::from_secs(20) {
                return Err("the server has stopped answering".to_owned());
            }
            for index in ready {
                rounds += self.drive(index, end, start, verify, &mut finished)?;
            }
        }
        Ok(rounds * self.depth)
    }

    /// Sends and receives on one connection as far as it goes; returns the batches completed.
    fn drive(
        &mut self,
        index: usize,
        end: End,
        start: Instant,
        verify: bool,
        finished: &mut usize,
    ) -> Result<u64, String> {
        let connection = &mut self.connections[index];
        let mut completed = 0;
        if connection.idle {
            return Ok(0);
        }
        loop {
            if connection.sent < self.batch.len() {
                match connection.socket.write(&self.batch[connection.sent..]) {
                    Ok(count) => connection.sent += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(format!("sending: {error}")),
                }
            }
            if connection.received < self.expected.len() {
                match connection.socket.read(&mut self.buffer) {
                    Ok(0) => return Err("the server has closed the connection".to_owned()),
                    Ok(count) => {
                        let bytes = &mut self.buffer[..count];
                        let bytes = match self.reply {
                            Reply::Fragments => connection.replies.payload(bytes)?,
                            Reply::Raw | Reply::Whole | Reply::Compressed => bytes,
                        };
                        let from = connection.received;
                        connection.received += bytes.len();
                        let Some(expected) = self.expected.get(from..connection.received) else {
                            return Err("the server sent more than it was sent".to_owned());
                        };
                        if verify && expected != bytes {
                            return Err(format!("a wrong reply near byte {from} of the batch"));
                        }
                        if connection.received < self.expected.len() && count == self.buffer.len() {
                            continue;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(completed);
                    }
                    Err(error) => return Err(format!("receiving: {error}")),
                }
            }
            if connection.received < self.expected.len() {
                // A short read: there is more to wait for, or more that can be sent already.
                continue;
            }
            if self.reply == Reply::Fragments && !connection.replies.is_after(self.depth) {
                // The payloads are here, the frame that ends the last of them is not.
                continue;
            }
            completed += 1;
            connection.rounds += 1;
            (connection.sent, connection.received) = (0, 0);
            if end.is_reached(start, connection.rounds) {
                connection.idle = true;
                *finished += 1;
                return Ok(completed);
            }
        }
    }
}

impl Plan {
    /// As arguments for a process of its own.
    pub fn to_arguments(self) -> [String; 8] {
        let work = self.work;
        let [port, pid] = [self.port.into(), self.pid].map(|number| number.to_string());
        let numbers = [work.connections, work.size, work.fragments, work.depth];
        let [a, b, c, d] = numbers.map(|number| number.to_string());
        [port, pid, self.reply.name().to_owned(), a, b, c, d, work.end.to_text()]
    }

    /// From [`Plan::to_arguments`].
    pub fn from_arguments(arguments: &[String]) -> Option<Self> {
        let [port, pid, reply, connections, size, fragments, depth, end] = arguments else {
            return None;
        };
        let work = Work {
            connections: connections.parse().ok()?,
            size: size.parse().ok()?,
            fragments: fragments.parse().ok()?,
            depth: depth.parse().ok()?,
            end: End::from_text(end)?,
        };
        let reply = Reply::from_name(reply)?;
        Some(Self { port: port.parse().ok()?, pid: pid.parse().ok()?, reply, work })
    }
}

impl Measured {
    /// As a line of text.
    pub fn to_line(self) -> String {
        format!("{} {} {}", self.messages, self.seconds, self.server_cpu_ns)
    }

    /// From [`Measured::to_line`].
    pub fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace();
        let messages = fields.next()?.parse().ok()?;
        let seconds = fields.next()?.parse().ok()?;
        Some(Self { messages, seconds, server_cpu_ns: fields.next()?.parse().ok()? })
    }
}
