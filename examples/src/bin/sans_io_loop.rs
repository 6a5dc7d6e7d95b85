//! The bare machines: a client and a server on `std::net`, one thread each, without any runtime.
//!
//! The handshake machines of `ws-h1-upgrade` and the session of `ws-session` do no I/O; the two
//! functions at the bottom bring it.

#![expect(
    clippy::disallowed_methods,
    reason = "this program is its own runtime: it opens sockets, starts a thread and reads the clock"
)]

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use rand::Rng as _;
use ws_stack::frame::MaskKeys;
use ws_stack::h1_upgrade::{
    ClientHandshake, ClientKey, ClientOptions, HandshakeLimits, HeaderFields, ServerHandshake,
    SubprotocolPolicy, WsUri, accept, refuse, request,
};
use ws_stack::session::{CloseCode, Config, Event, Message, Session};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let uri = WsUri::parse(&format!("ws://{}/", listener.local_addr()?))?;
    let server = thread::spawn(move || serve(listener.accept()?.0));
    converse(&uri)?;
    server.join().map_err(|_panic| "the server panicked")?
}

/// An echo server for one connection.
fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::new();
    let mut answer = BytesMut::new();
    let mut handshake =
        ServerHandshake::new(SubprotocolPolicy::default(), HandshakeLimits::default());
    let upgrade = loop {
        read(&mut stream, &mut buffer)?;
        match handshake.receive(&mut buffer) {
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
    let mut session = Session::server(Config::default()).with_leftover(buffer);
    drive(&mut stream, &mut session, |session, message| {
        if message.data_kind().is_some() {
            session.send(message)?;
        }
        Ok(())
    })
}

/// A client that says three things and goodbye.
fn converse(uri: &WsUri) -> Result<()> {
    let mut stream = TcpStream::connect((uri.host(), uri.port()))?;
    stream.set_nodelay(true)?;
    let key = ClientKey::new(rand::rng().random());
    let options = ClientOptions::default();
    let mut buffer = BytesMut::new();
    request(uri, &key, &options, &mut buffer)?;
    stream.write_all(&buffer)?;
    buffer.clear();
    let mut handshake = ClientHandshake::new(key, options, HandshakeLimits::default());
    while handshake.receive(&mut buffer)?.is_none() {
        read(&mut stream, &mut buffer)?;
    }

    // RFC 6455 §5.3: each frame is masked with a key nobody can foresee.
    let keys = MaskKeys::new(|| rand::rng().random());
    let mut session = Session::client(Config::default(), keys).with_leftover(buffer);
    let mut words = ["one", "two", "three"].into_iter();
    if let Some(word) = words.next() {
        session.send(Message::text(word))?;
    }
    drive(&mut stream, &mut session, |session, message| {
        writeln!(io::stdout(), "echo: {message:?}")?;
        match words.next() {
            Some(word) => session.send(Message::text(word))?,
            None if message.data_kind().is_some() => {
                session.close(Some(CloseCode::NORMAL.into()))?;
            }
            None => {}
        }
        Ok(())
    })
}

/// The loop that `ws-session` describes: events until there are none, then write, then wait for
/// bytes or for the next deadline.
fn drive(
    stream: &mut TcpStream,
    session: &mut Session,
    mut on_message: impl FnMut(&mut Session, Message) -> Result<()>,
) -> Result<()> {
    loop {
        while let Some(event) = session.poll_event() {
            match event {
                Event::Message(message) => on_message(session, message)?,
                Event::Chunk { .. } => {}
                Event::Finished => {
                    writeln!(io::stdout(), "ended: {:?}", session.outcome())?;
                    return Ok(());
                }
            }
        }
        let queue = session.transmit();
        while queue.has_remaining() {
            let written = stream.write(queue.chunk())?;
            queue.advance(written);
        }
        if session.wants_shutdown() {
            stream.shutdown(std::net::Shutdown::Write)?;
            session.handle_shutdown();
            continue;
        }
        let now = Instant::now();
        let wait = session.poll_timeout(now).map(|at| at.saturating_duration_since(now));
        stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        match read(stream, session.read_buffer()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => session.receive_eof(),
            // Unix says the one, Windows the other.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                session.handle_timeout(Instant::now());
            }
            Err(error) => session.receive_error(error.into()),
        }
    }
}

/// Appends what arrives, at least one byte.
fn read(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<()> {
    let mut chunk = [0; 4096];
    match stream.read(&mut chunk)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => {
            buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
            Ok(())
        }
    }
}
