//! WebSockets without any runtime: a server with a thread for each connection and a client, both on
//! `std::net`.
//!
//! [`Blocking`] is all it takes to use a session with calls that block; copy it. Every wait has a
//! deadline of the session as its time limit, so that idle peers, peers that never read and peers
//! that never say goodbye end here as they do on the async runtimes.

#![expect(
    clippy::disallowed_methods,
    reason = "this program is its own runtime: it opens sockets, starts threads and reads the clock"
)]

use std::error::Error;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt as _;
use rand::Rng as _;
use ws_examples::arguments;
use ws_stack::frame::MaskKeys;
use ws_stack::h1_upgrade::{
    ClientHandshake, ClientKey, ClientOptions, HandshakeLimits, HeaderFields, OriginPolicy,
    ServerHandshake, SubprotocolPolicy, WsUri, accept, refuse, request,
};
use ws_stack::session::{CloseCode, Config, Event, Message, Outcome, Session};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "\
A blocking echo server and client, without any runtime.

usage: blocking_echo --listen ADDR     echo every message, with a thread for each connection
       blocking_echo URL               say three things to a server
       blocking_echo                   both, to each other";

fn main() -> Result<()> {
    let (mut listen, mut url) = (None::<SocketAddr>, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => listen = Some(arguments::value(&mut parser)?),
            Value(text) => url = Some(text.string()?),
            Long("help") | Short('h') => arguments::help(USAGE),
            other => arguments::refuse(other.unexpected()),
        }
    }
    if let Some(url) = url {
        return talk(&url);
    }
    let forever = listen.is_some();
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(listen.unwrap_or(anywhere))?;
    let url = format!("ws://{}/", listener.local_addr()?);
    writeln!(io::stdout(), "listening {url}")?;
    if forever {
        return serve(&listener);
    }
    thread::spawn(move || serve(&listener));
    talk(&url)
}

fn serve(listener: &TcpListener) -> Result<()> {
    loop {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, say: that passes, and the system keeps the queue.
                eprintln!("accepting: {error}");
                thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        thread::spawn(move || {
            if let Err(error) = echo(stream) {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn echo(stream: TcpStream) -> Result<()> {
    let mut websocket = Blocking::accept(stream)?;
    while let Some(message) = websocket.next() {
        if message.data_kind().is_some() {
            // Refused once a goodbye is under way, which `next` sees to its end.
            let _ = websocket.feed(message);
        }
    }
    Ok(())
}

fn talk(url: &str) -> Result<()> {
    let mut websocket = Blocking::connect(&WsUri::parse(url)?)?;
    for word in ["one", "two", "three"] {
        websocket.feed(Message::text(word))?;
        let Some(echo) = websocket.next() else { break };
        writeln!(io::stdout(), "{word}: {echo:?}")?;
    }
    let outcome = websocket.close(CloseCode::NORMAL)?;
    writeln!(io::stdout(), "ended: {outcome:?}")?;
    Ok(())
}

/// A WebSocket whose calls block.
struct Blocking {
    stream: TcpStream,
    session: Session,
}

impl Blocking {
    /// Answers the request that is to come on `stream`, of pages of our own origin only.
    fn accept(mut stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        let until = Instant::now() + HANDSHAKE;
        let (mut buffer, mut answer) = (BytesMut::new(), BytesMut::new());
        let mut handshake =
            ServerHandshake::new(SubprotocolPolicy::default(), HandshakeLimits::default());
        let upgrade = loop {
            read(&mut stream, &mut buffer, until)?;
            let received = handshake.receive(&mut buffer).and_then(|upgrade| {
                if let Some(upgrade) = &upgrade {
                    upgrade.request.check_origin(&OriginPolicy::SameOrigin)?;
                }
                Ok(upgrade)
            });
            match received {
                Ok(None) => {}
                Ok(Some(upgrade)) => break upgrade,
                Err(error) => {
                    refuse(&error.refusal(), &mut answer);
                    stream.write_all(&answer)?;
                    return Err(error.into());
                }
            }
        };
        accept(&upgrade, &HeaderFields::new(), &mut answer)?;
        stream.write_all(&answer)?;
        // What arrived behind the request is the first frame: it goes along.
        Ok(Self { stream, session: Session::server(Config::default()).with_leftover(buffer) })
    }

    /// Connects to a `ws:` URL.
    fn connect(uri: &WsUri) -> Result<Self> {
        if uri.is_secure() {
            return Err("nothing encrypts here: the URL has to be a ws: one".into());
        }
        let mut stream = TcpStream::connect((uri.host(), uri.port()))?;
        stream.set_nodelay(true)?;
        let until = Instant::now() + HANDSHAKE;
        let key = ClientKey::new(rand::rng().random());
        let options = ClientOptions::default();
        let mut buffer = BytesMut::new();
        request(uri, &key, &options, &mut buffer)?;
        stream.write_all(&buffer)?;
        buffer.clear();
        let mut handshake = ClientHandshake::new(key, options, HandshakeLimits::default());
        while handshake.receive(&mut buffer)?.is_none() {
            read(&mut stream, &mut buffer, until)?;
        }
        // RFC 6455 §5.3: each frame is masked with a key nobody can foresee.
        let keys = MaskKeys::new(|| rand::rng().random());
        Ok(Self { stream, session: Session::client(Config::default(), keys).with_leftover(buffer) })
    }

    /// The next message; `None` when the connection has ended.
    fn next(&mut self) -> Option<Message> {
        loop {
            match self.session.poll_event() {
                Some(Event::Message(message)) => return Some(message),
                Some(Event::Chunk { .. }) => {}
                Some(Event::Finished) => return None,
                None if self.session.is_finished() => return None,
                None => self.wait(),
            }
        }
    }

    /// Queues a message, which [`next`](Self::next) writes before it waits; writes by itself when
    /// much is queued.
    fn feed(&mut self, message: Message) -> Result<()> {
        self.session.send(message)?;
        while !self.session.is_writable() && self.session.is_open() {
            self.write();
        }
        Ok(())
    }

    /// Says goodbye and sees the connection to its end.
    fn close(&mut self, code: CloseCode) -> Result<&Outcome> {
        self.session.close(Some(code.into()))?;
        while self.next().is_some() {}
        self.session.outcome().ok_or_else(|| "a session that has finished has an outcome".into())
    }

    /// Writes what is queued, then waits for bytes or for the next deadline.
    fn wait(&mut self) {
        while !self.session.transmit().is_empty() {
            self.write();
            if self.session.is_finished() {
                return;
            }
        }
        if self.session.wants_shutdown() {
            // Fails only when the peer has gone, which reading tells as well.
            let _ = self.stream.shutdown(Shutdown::Write);
            return self.session.handle_shutdown();
        }
        let now = Instant::now();
        let until = self.session.poll_timeout(now).unwrap_or(now + HANDSHAKE);
        match read(&mut self.stream, self.session.read_buffer(), until) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.session.receive_eof(),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                self.session.handle_timeout(Instant::now());
            }
            Err(error) => self.session.receive_error(error.into()),
        }
    }

    /// Writes once, or until the next deadline. Nothing is read meanwhile, for which the peer is not
    /// to blame.
    fn write(&mut self) {
        let now = Instant::now();
        let until = self.session.poll_write_timeout(now).unwrap_or(now + HANDSHAKE);
        let queue = self.session.transmit();
        let limit = limit(until).and_then(|limit| self.stream.set_write_timeout(Some(limit)));
        match limit.and_then(|()| self.stream.write(queue.chunk())) {
            Ok(written) => queue.advance(written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => self.session.handle_write_timeout(Instant::now()),
            Err(error) => self.session.receive_error(error.into()),
        }
    }
}

/// Appends what arrives, at least one byte, before `until`.
fn read(stream: &mut TcpStream, buffer: &mut BytesMut, until: Instant) -> io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        stream.set_read_timeout(Some(limit(until)?))?;
        match stream.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Looks at the clock again.
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The time until `until`, which a socket takes as its limit; an error when it is over.
fn limit(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Unix says the one, Windows the other.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);
