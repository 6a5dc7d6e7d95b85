//! Where a case meets its peer: by dialling a server, or with a client that has called.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::carrier::Carrier;
use crate::handshake::{flaw_of_response, flaws_of_request, read_answer, unexpected};
use crate::judge::{Behavior, CloseBehavior, Verdict};
use crate::link::{Link, Next};
use crate::log::{Log, Who, brief};
use crate::server_side::lobby::{Caller, Lobby};
use crate::server_side::visitor::Visitor;
use crate::settings::Settings;
use crate::target::Target;
use crate::wire::connect::{Answer, Connect};
use crate::wire::deflate::Agreement;
use crate::wire::frame::Frame;
use crate::wire::http::{self, Head};
#[cfg(feature = "h3")]
use crate::wire::raw_h3;
use crate::wire::stream::Wire;
use crate::wire::tls;
use crate::wire::tunnel::Tunnel;

/// Why a case could not be played.
#[derive(Clone, Debug)]
pub(crate) enum Refused {
    /// The peer does not do what the case needs, as it may.
    Unimplemented(String),
    /// No WebSocket came about although it had to.
    NoConnection(String),
}

impl Refused {
    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Unimplemented(why) => Verdict::plain(Behavior::Unimplemented, why),
            // Where there was no WebSocket, none ended as it had to.
            Self::NoConnection(why) => {
                let plain = Verdict::plain(Behavior::Failed, why);
                Verdict { close: CloseBehavior::Failed, ..plain }
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unimplemented(why) | Self::NoConnection(why)) = self;
        f.write_str(why)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::NoConnection(format!("no connection: {error}"))
    }
}

/// What the cases of one run remember of their peer together.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    keys: Mutex<HashSet<String>>,
    /// How many connections began with this masking key and the next.
    maskings: Mutex<HashMap<[[u8; 4]; 2], usize>>,
}

impl Memory {
    /// Remembers the masking keys that a connection began with.
    pub(crate) fn note_masking(&self, keys: [[u8; 4]; 2]) {
        let mut maskings = self.maskings.lock().unwrap_or_else(PoisonError::into_inner);
        *maskings.entry(keys).or_default() += 1;
    }

    /// How many connections began with these masking keys.
    fn connections_with(&self, keys: [[u8; 4]; 2]) -> usize {
        let maskings = self.maskings.lock().unwrap_or_else(PoisonError::into_inner);
        maskings.get(&keys).copied().unwrap_or_default()
    }

    /// Whether no earlier request carried this key.
    fn is_new(&self, key: &str) -> bool {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned())
    }
}

#[derive(Debug)]
enum Side {
    Client(Target),
    Server(Box<Guests>),
}

/// The client under test, and where it calls again.
#[derive(Debug, Default)]
struct Guests {
    caller: Option<Caller>,
    visitor: Option<Box<Visitor>>,
    lobby: Option<Lobby>,
}

/// The place of one case.
#[derive(Debug)]
pub(crate) struct Arena {
    side: Side,
    pub(crate) log: Log,
    pub(crate) settings: Arc<Settings>,
    memory: Arc<Memory>,
}

impl Arena {
    /// An arena in which the suite is the client of `target`.
    pub(crate) fn against_server(target: Target, settings: Arc<Settings>) -> Self {
        let side = Side::Client(target);
        Self { side, log: Log::new(), settings, memory: Arc::default() }
    }

    /// An arena in which the client of the suite has sent its request already.
    pub(crate) fn against_visitor(
        visitor: Visitor,
        settings: Arc<Settings>,
        memory: Arc<Memory>,
    ) -> Self {
        let guests = Guests { visitor: Some(Box::new(visitor)), ..Guests::default() };
        Self { side: Side::Server(Box::new(guests)), log: Log::new(), settings, memory }
    }

    /// An arena in which a client has called at `lobby`, or is to, and may call again.
    pub(crate) fn against_caller(
        caller: Option<Caller>,
        lobby: Lobby,
        settings: Arc<Settings>,
        memory: Arc<Memory>,
    ) -> Self {
        let guests = Guests { caller, visitor: None, lobby: Some(lobby) };
        Self { side: Side::Server(Box::new(guests)), log: Log::new(), settings, memory }
    }

    pub(crate) fn peer_is_server(&self) -> bool {
        matches!(self.side, Side::Client(_))
    }

    /// The server under test, where the peer is one.
    pub(crate) fn target(&self) -> Result<&Target, Refused> {
        match &self.side {
            Side::Client(target) => Ok(target),
            Side::Server(_) => Err(Refused::NoConnection("this case judges servers".into())),
        }
    }

    /// A connection to the server under test.
    pub(crate) async fn dial_tcp(&self) -> Result<TcpStream, Refused> {
        Ok(self.target()?.dial().await?)
    }

    /// A stream of HTTP/1.1 to the server under test, before any handshake.
    pub(crate) async fn dial(&self) -> Result<Wire, Refused> {
        self.dial_for("http/1.1").await
    }

    /// A stream to the server under test, in TLS for `alpn` where it is a secure one.
    async fn dial_for(&self, alpn: &str) -> Result<Wire, Refused> {
        let (target, stream) = (self.target()?, self.dial_tcp().await?);
        if target.secure {
            let greeted = timeout(TLS, tls::connect(&target.host, stream, alpn)).await;
            return Ok(Wire::new(greeted.map_err(io::Error::from)??));
        }
        Ok(Wire::new(stream))
    }

    /// Sends a request for a WebSocket, written for HTTP/1.1, by the carrier of the run, and waits
    /// for what comes of it.
    pub(crate) async fn exchange(&self, request: &[u8]) -> Result<Answer, Refused> {
        self.log.head(Who::Suite, "opening request", request);
        if matches!(self.settings.carrier, Carrier::H1 | Carrier::Best) {
            let mut wire = self.dial().await?;
            wire.write(request).await;
            return Ok(self.final_answer(wire).await);
        }
        let target = self.target()?;
        let upgrade = Head::parse(request);
        let connect = Connect::from_upgrade(&upgrade, target.secure, target.authority());
        let answer = self.extended_connect(target, &connect).await?;
        match &answer {
            Answer::Head(head, _) => {
                self.log.head(Who::Peer, format!("answer: {}", head.start), &head.lines());
            }
            Answer::Cut(cause) => self.log.note(format!("the stream was ended: {cause}")),
            Answer::Silence => self.log.note("no answer came"),
        }
        Ok(answer)
    }

    /// Interim answers (100, 102, 103) are only noted.
    async fn final_answer(&self, mut wire: Wire) -> Answer {
        let patience = (self.settings.wait * 2).max(Duration::from_secs(5));
        loop {
            match timeout(patience, http::read_head(&mut wire)).await {
                Ok(Some((head, octets))) => {
                    self.log.head(Who::Peer, format!("answer: {}", head.start), &octets);
                    if !matches!(head.status(), Some(100 | 102..=199)) {
                        return Answer::Head(head, wire);
                    }
                }
                Ok(None) => {
                    let came = wire.buffered();
                    self.log.octets(Who::Peer, || "the end".into(), came);
                    return Answer::Cut(match came {
                        [] => "the connection was ended without an answer".into(),
                        _ => format!(
                            "the connection was ended after {}, no whole answer",
                            brief(came)
                        ),
                    });
                }
                Err(_) if !wire.buffered().is_empty() => {
                    let came = wire.buffered();
                    self.log.octets(Who::Peer, || "not all of an answer".into(), came);
                    return Answer::Cut(format!("only {} came, no whole answer", brief(came)));
                }
                Err(_) => return Answer::Silence,
            }
        }
    }

    async fn extended_connect(
        &self,
        target: &Target,
        connect: &Connect,
    ) -> Result<Answer, Refused> {
        match self.settings.carrier {
            Carrier::H2 => {
                let wire = self.dial_for("h2").await?;
                Ok(Tunnel::connect(wire, connect, self.log.clone()).await?)
            }
            #[cfg(feature = "h3")]
            Carrier::H3 => Ok(raw_h3::connect(&target.host, target.port, connect).await?),
            other => {
                let path = &connect.path;
                let why = format!("there is no extended CONNECT to {target} ({path}) by {other}");
                Err(Refused::NoConnection(why))
            }
        }
    }

    /// The client under test as it has called, before anything was read, once.
    ///
    /// A driver is only asked what it wants after its request; it cannot play such a case.
    pub(crate) fn caller(&mut self) -> Result<Caller, Refused> {
        let Side::Server(guests) = &mut self.side else {
            return Err(Refused::NoConnection("this case judges clients".into()));
        };
        if guests.visitor.take().is_some() {
            let why = "only a client that is started for each case (--client) is judged by this";
            return Err(Refused::Unimplemented(why.into()));
        }
        let gone = || Refused::NoConnection("the client's one connection is used up".into());
        guests.caller.take().ok_or_else(gone)
    }

    /// Where the client under test calls.
    pub(crate) fn lobby(&mut self) -> Result<&mut Lobby, Refused> {
        let lobby = match &mut self.side {
            Side::Server(guests) => guests.lobby.as_mut(),
            Side::Client(_) => None,
        };
        let missing = || "this case judges clients that are started".into();
        lobby.ok_or_else(|| Refused::NoConnection(missing()))
    }

    /// The next call of the client under test, if it comes in time.
    pub(crate) async fn next_caller(&mut self, deadline: Instant) -> Option<Caller> {
        let Side::Server(guests) = &mut self.side else { return None };
        let lobby = guests.lobby.as_mut()?;
        loop {
            match timeout_at(deadline, lobby.accept()).await.ok()? {
                Ok(caller) => {
                    self.log.note(format!("the client called by {}", caller.describe()));
                    return Some(caller);
                }
                Err(error) => self.log.note(format!("a call came to nothing: {error}")),
            }
        }
    }

    /// The client under test with its request, once.
    pub(crate) async fn visitor(&mut self) -> Result<Visitor, Refused> {
        if let Side::Server(guests) = &mut self.side
            && let Some(visitor) = guests.visitor.take()
        {
            return Ok(*visitor);
        }
        let caller = self.caller()?;
        Ok(caller.into_visitor(&self.log).await?)
    }

    /// Opens a WebSocket without extensions.
    pub(crate) async fn open(&mut self) -> Result<Link, Refused> {
        self.open_with(None).await
    }

    /// Opens a WebSocket; as the client the suite sends this `Sec-WebSocket-Extensions`.
    pub(crate) async fn open_with(&mut self, extensions: Option<&str>) -> Result<Link, Refused> {
        if self.peer_is_server() {
            return self.shake_hands(extensions).await;
        }
        let visitor = self.visitor().await?;
        self.welcome(visitor, None).await
    }

    /// Whether the server under test opens a WebSocket; how well it does is for the cases to judge.
    pub(crate) async fn knock(&self) -> Result<(), Refused> {
        let request = self.request(&http::fresh_key(), None)?;
        let (head, _) = self.ask(&request).await?;
        if head.opens() {
            return Ok(());
        }
        Err(Refused::NoConnection(unexpected(&head)))
    }

    /// Sends a request for a WebSocket, to which there has to be an answer.
    async fn ask(&self, request: &str) -> Result<(Head, Wire), Refused> {
        let why = match self.exchange(request.as_bytes()).await? {
            Answer::Head(head, wire) => return Ok((head, wire)),
            Answer::Cut(cause) => format!("no answer to the handshake: {cause}"),
            Answer::Silence => "the server did not answer the handshake".into(),
        };
        Err(Refused::NoConnection(why))
    }

    /// The client's half of an ordinary handshake.
    async fn shake_hands(&self, extensions: Option<&str>) -> Result<Link, Refused> {
        let key = http::fresh_key();
        let request = self.request(&key, extensions)?;
        let (head, wire) = self.ask(&request).await?;
        let flaw = flaw_of_response(&head, &key);
        let mut link = Link::new(wire, self.log.clone(), true, head);
        if let Some(flaw) = flaw {
            return Err(Refused::NoConnection(flaw));
        }
        if let Some(agreement) = read_answer(&link.handshake, extensions)? {
            link.set_deflate(agreement, 1);
        }
        Ok(link)
    }

    /// The request of an ordinary handshake.
    pub(crate) fn request(&self, key: &str, extensions: Option<&str>) -> Result<String, Refused> {
        let target = self.target()?;
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n",
            target.path,
            target.authority()
        );
        if let Some(extensions) = extensions {
            request.push_str(&format!("Sec-WebSocket-Extensions: {extensions}\r\n"));
        }
        for line in &self.settings.headers {
            request.push_str(&format!("{line}\r\n"));
        }
        request.push_str("\r\n");
        Ok(request)
    }

    /// The same request as an extended CONNECT.
    pub(crate) fn connect(&self, secure: bool) -> Result<Connect, Refused> {
        let upgrade = Head::parse(self.request("", None)?.as_bytes());
        Ok(Connect::from_upgrade(&upgrade, secure, self.target()?.authority()))
    }

    /// The server's half of an ordinary handshake; `extension` is the accepted element.
    pub(crate) async fn welcome(
        &self,
        visitor: Visitor,
        extension: Option<(&str, Agreement)>,
    ) -> Result<Link, Refused> {
        let request = visitor.request.clone();
        self.log.head(Who::Peer, format!("request: {}", request.start), &request.lines());
        let mut breaches = flaws_of_request(&request);
        let key = request.values("Sec-WebSocket-Key").next().unwrap_or_default().to_owned();
        if visitor.carrier() == Carrier::H1 && !self.memory.is_new(&key) {
            breaches.push("the client used the same Sec-WebSocket-Key twice (§4.1)".into());
        }
        let accept = http::accept_for(&key);
        let mut response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n"
        );
        if let Some((element, _)) = extension {
            response.push_str(&format!("Sec-WebSocket-Extensions: {element}\r\n"));
        }
        response.push_str("\r\n");
        let early = visitor.has_spoken();
        let wire = visitor.answer(&response, &self.log).await;
        let mut link = Link::new(wire, self.log.clone(), false, request);
        link.memory = Some(Arc::clone(&self.memory));
        for breach in breaches {
            link.breach(breach);
        }
        if early {
            link.breach("the client sent octets before the server's answer (§4.1)".into());
        }
        if let Some((_, agreement)) = extension {
            link.set_deflate(agreement, 1);
        }
        Ok(link)
    }

    /// Whether another connection of the run began with the masking keys of this one. Two keys in a
    /// row agree by chance once in 2^64 times.
    pub(crate) fn has_seen_keys_of(&self, link: &Link) -> bool {
        let first = link.keys().first_chunk::<2>();
        first.is_some_and(|keys| self.memory.connections_with(*keys) > 1)
    }

    /// Whether the server still serves: a new connection, one echo. Clients are not asked.
    pub(crate) async fn still_alive(&self) -> Result<(), Refused> {
        if !self.peer_is_server() {
            return Ok(());
        }
        self.log.note("is the server still alive?");
        let mut link = self.shake_hands(None).await?;
        link.send(&[Frame::text("alive?")], Default::default()).await;
        let deadline = Instant::now() + self.settings.wait;
        let echoed = matches!(link.next(deadline).await, Next::Event(_));
        link.close(1000, Duration::from_millis(200)).await;
        if echoed {
            Ok(())
        } else {
            Err(Refused::NoConnection("afterwards the server did not serve any more".into()))
        }
    }
}

/// How long a server may take to answer in TLS.
const TLS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_handshake_the_end_is_a_failure_too() {
        let verdict = Refused::NoConnection("no answer".into()).verdict();
        assert_eq!(verdict.close, CloseBehavior::Failed);
        let verdict = Refused::Unimplemented("no compression".into()).verdict();
        assert_eq!(verdict.close, CloseBehavior::Ok);
    }
}
