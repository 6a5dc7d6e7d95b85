//! Where a case meets its peer: by dialling a server, or with a client that has called.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::carrier::Carrier;
use crate::judge::{Behavior, Verdict};
use crate::link::{Link, Next};
use crate::log::{Log, Who};
use crate::settings::Settings;
use crate::wire::connect::{Answer, Connect, flaw_of_answer};
use crate::wire::deflate::{self, Agreement};
use crate::wire::extension;
use crate::wire::frame::Frame;
#[cfg(feature = "h2")]
use crate::wire::h2;
use crate::wire::http::{self, Head};
use crate::wire::negotiation;
#[cfg(feature = "h3")]
use crate::wire::raw_h3;
use crate::wire::stream::Wire;
use crate::wire::tls;

/// A server to be judged: `ws://host:port/path` or `wss://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(crate) secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl Target {
    /// The value of the `Host` field.
    pub(crate) fn authority(&self) -> String {
        let default = if self.secure { 443 } else { 80 };
        if self.port == default {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = url.split_once("://").ok_or("a URL begins with ws:// or wss://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            other => return Err(format!("{other:?} is no scheme of WebSocket")),
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let after_bracket = authority.rfind(']').unwrap_or(0);
        let colon = authority.get(after_bracket..).and_then(|tail| tail.find(':'));
        let (host, port) = match colon.map(|at| authority.split_at(after_bracket + at)) {
            Some((host, port)) => {
                let digits = port.trim_start_matches(':');
                (host, digits.parse().map_err(|_| format!("{digits:?} is no port"))?)
            }
            None => (authority, if secure { 443 } else { 80 }),
        };
        if host.is_empty() {
            return Err("the URL names no host".into());
        }
        Ok(Self { secure, host: host.to_owned(), port, path })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// A client that has called and sent its request.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) wire: Wire,
    pub(crate) request: Head,
}

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
            Self::NoConnection(why) => Verdict::plain(Behavior::Failed, why),
        }
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
}

impl Memory {
    /// Whether no earlier request carried this key.
    fn is_new(&self, key: &str) -> bool {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned())
    }
}

#[derive(Debug)]
enum Side {
    Client(Target),
    Server(Option<Box<Visitor>>),
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

    /// An arena in which `visitor` is the client of the suite.
    pub(crate) fn against_client(
        visitor: Visitor,
        settings: Arc<Settings>,
        memory: Arc<Memory>,
    ) -> Self {
        let side = Side::Server(Some(Box::new(visitor)));
        Self { side, log: Log::new(), settings, memory }
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
        let target = self.target()?;
        let bare = target.host.trim_matches(['[', ']']);
        let limit = Duration::from_secs(10);
        let stream = timeout(limit, TcpStream::connect((bare, target.port)))
            .await
            .map_err(|_| Refused::NoConnection("no connection within 10 s".into()))??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A stream of HTTP/1.1 to the server under test, before any handshake.
    pub(crate) async fn dial(&self) -> Result<Wire, Refused> {
        let (target, stream) = (self.target()?, self.dial_tcp().await?);
        if target.secure {
            return Ok(Wire::new(tls::connect(&target.host, stream, "http/1.1").await?));
        }
        Ok(Wire::new(stream))
    }

    /// Sends a request for a WebSocket, written for HTTP/1.1, by the carrier of the run, and waits
    /// for what comes of it.
    pub(crate) async fn exchange(&self, request: &[u8]) -> Result<Answer, Refused> {
        self.log.octets(Who::Suite, || "opening request".into(), request);
        if self.settings.carrier == Carrier::H1 {
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
                let fields = format!("{:?}", head.fields);
                self.log.octets(Who::Peer, || format!("answer: {}", head.start), fields.as_bytes());
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
                    self.log.octets(Who::Peer, || format!("answer: {}", head.start), &octets);
                    if !matches!(head.status(), Some(100 | 102..=199)) {
                        return Answer::Head(head, wire);
                    }
                }
                Ok(None) => {
                    self.log.octets(Who::Peer, || "the end".into(), wire.buffered());
                    return Answer::Cut("the connection was ended without an answer".into());
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
            #[cfg(feature = "h2")]
            Carrier::H2 if target.secure => {
                let stream = tls::connect(&target.host, self.dial_tcp().await?, "h2").await?;
                Ok(h2::connect(stream, connect).await?)
            }
            #[cfg(feature = "h2")]
            Carrier::H2 => Ok(h2::connect(self.dial_tcp().await?, connect).await?),
            #[cfg(feature = "h3")]
            Carrier::H3 => Ok(raw_h3::connect(&target.host, target.port, connect).await?),
            other => {
                let path = &connect.path;
                let why = format!("there is no extended CONNECT to {target} ({path}) by {other}");
                Err(Refused::NoConnection(why))
            }
        }
    }

    /// The client under test with its request, once.
    pub(crate) fn visitor(&mut self) -> Result<Visitor, Refused> {
        let Side::Server(visitor) = &mut self.side else {
            return Err(Refused::NoConnection("this case judges clients".into()));
        };
        let gone = || Refused::NoConnection("the client's one connection is used up".into());
        visitor.take().map(|visitor| *visitor).ok_or_else(gone)
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
        let visitor = self.visitor()?;
        self.welcome(visitor, None).await
    }

    /// The client's half of an ordinary handshake.
    async fn shake_hands(&self, extensions: Option<&str>) -> Result<Link, Refused> {
        let key = http::fresh_key();
        let request = self.request(&key, extensions)?;
        let (head, wire) = match self.exchange(request.as_bytes()).await? {
            Answer::Head(head, wire) => (head, wire),
            Answer::Cut(cause) => {
                return Err(Refused::NoConnection(format!("no answer to the handshake: {cause}")));
            }
            Answer::Silence => {
                let why = "the server did not answer the handshake";
                return Err(Refused::NoConnection(why.into()));
            }
        };
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
        request.push_str("\r\n");
        Ok(request)
    }

    /// The server's half of an ordinary handshake; `extension` is the accepted element.
    pub(crate) async fn welcome(
        &self,
        visitor: Visitor,
        extension: Option<(&str, Agreement)>,
    ) -> Result<Link, Refused> {
        let Visitor { mut wire, request } = visitor;
        self.log.octets(Who::Peer, || format!("request: {}", request.start), &[]);
        let mut breaches = flaws_of_request(&request);
        let key = request.values("Sec-WebSocket-Key").next().unwrap_or_default().to_owned();
        if !self.memory.is_new(&key) {
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
        self.log.octets(Who::Suite, || "answer: 101".into(), response.as_bytes());
        let early = !wire.buffered().is_empty();
        wire.write(response.as_bytes()).await;
        let mut link = Link::new(wire, self.log.clone(), false, request);
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

    /// Whether the server still serves: a new connection, one echo. Clients are not asked.
    pub(crate) async fn still_alive(&self) -> Result<(), Refused> {
        if !self.peer_is_server() {
            return Ok(());
        }
        self.log.note("is the server still alive?");
        let mut link = self.shake_hands(None).await?;
        link.send(&[Frame::text("alive?")], Default::default()).await;
        let deadline = tokio::time::Instant::now() + self.settings.wait;
        let echoed = matches!(link.next(deadline).await, Next::Event(_));
        link.close(1000, Duration::from_millis(200)).await;
        if echoed {
            Ok(())
        } else {
            Err(Refused::NoConnection("afterwards the server did not serve any more".into()))
        }
    }
}

/// What is wrong with an answer that had to be a plain 101, if anything.
pub(crate) fn flaw_of_response(head: &Head, key: &str) -> Option<String> {
    if !head.start.starts_with("HTTP/1") {
        return flaw_of_answer(head);
    }
    if head.status() != Some(101) {
        return Some(format!("the handshake was answered with {:?}", head.start));
    }
    if let Some(flaw) = head.flaws.first() {
        return Some(format!("the answer is malformed: {flaw}"));
    }
    if !head.lists("Upgrade", "websocket") || !head.lists("Connection", "upgrade") {
        return Some("the 101 lacks Upgrade: websocket or Connection: Upgrade".into());
    }
    let accepts: Vec<&str> = head.values("Sec-WebSocket-Accept").collect();
    let expected = http::accept_for(key);
    if accepts != [expected.as_str()] {
        return Some(format!("Sec-WebSocket-Accept is {accepts:?}, expected {expected:?}"));
    }
    None
}

/// The agreement that an answer states; an error where it accepts what was not offered.
pub(crate) fn read_answer(
    head: &Head,
    offered: Option<&str>,
) -> Result<Option<Agreement>, Refused> {
    let Some(answer) = head.combined("Sec-WebSocket-Extensions") else { return Ok(None) };
    let wrong = |why: String| Refused::NoConnection(format!("extensions {answer:?}: {why}"));
    let elements = extension::parse(&answer).map_err(wrong)?;
    let offers = offered.map(extension::parse).and_then(Result::ok).unwrap_or_default();
    for element in &elements {
        if !offers.iter().any(|offer| offer.name.eq_ignore_ascii_case(&element.name)) {
            return Err(wrong(format!("{} was not offered", element.name)));
        }
    }
    match elements.as_slice() {
        [element] if element.name.eq_ignore_ascii_case(deflate::NAME) => {
            negotiation::check_answer(&offers, element).map(Some).map_err(wrong)
        }
        _ => Err(wrong("an element of permessage-deflate was expected, once".into())),
    }
}

/// What a client's request lacks, by RFC 6455 §4.1.
pub(crate) fn flaws_of_request(request: &Head) -> Vec<String> {
    let mut flaws: Vec<String> =
        request.flaws.iter().map(|flaw| format!("the request is malformed: {flaw}")).collect();
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            flaws.push(format!("the client's request: {what} (§4.1)"));
        }
    };
    demand(request.start.starts_with("GET "), "the method is not GET");
    demand(request.start.ends_with(" HTTP/1.1"), "the version is not HTTP/1.1");
    demand(request.target().starts_with('/'), "the target is not in origin form");
    demand(!request.target().contains('#'), "the target has a fragment");
    demand(request.values("Host").count() == 1, "there is not exactly one Host");
    demand(request.lists("Upgrade", "websocket"), "Upgrade does not list websocket");
    demand(request.lists("Connection", "upgrade"), "Connection does not list Upgrade");
    let keys: Vec<&str> = request.values("Sec-WebSocket-Key").collect();
    let good_key = keys.len() == 1 && keys.iter().all(|key| http::key_length(key) == Some(16));
    demand(good_key, "the key is not one of 16 octets in base64");
    let versions: Vec<&str> = request.values("Sec-WebSocket-Version").collect();
    demand(versions == ["13"], "the version is not 13, once");
    let offered = request.combined("Sec-WebSocket-Extensions");
    let grammatical = offered.is_none_or(|offer| extension::parse(&offer).is_ok());
    demand(grammatical, "Sec-WebSocket-Extensions breaks its grammar");
    let protocols = request.combined("Sec-WebSocket-Protocol");
    let names: Vec<String> = protocols
        .iter()
        .flat_map(|list| list.split(','))
        .map(|name| name.trim().to_owned())
        .collect();
    let unique: HashSet<&String> = names.iter().collect();
    let proper = names.iter().all(|name| http::is_token(name)) && unique.len() == names.len();
    demand(proper, "Sec-WebSocket-Protocol does not list unique tokens");
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC: WS-3-01, WS-3-02, WS-3-03
    #[test]
    fn urls_are_read() {
        let table = [
            ("ws://a", "ws://a/", 80),
            ("WSS://a:9001/x?y", "wss://a:9001/x?y", 9001),
            ("ws://[::1]:7?q", "ws://[::1]:7/?q", 7),
            ("ws://[::1]", "ws://[::1]/", 80),
        ];
        for (url, printed, port) in table {
            let target: Target = url.parse().expect("a valid URL");
            assert_eq!((target.to_string().as_str(), target.port), (printed, port));
        }
        for bad in ["a", "http://a", "ws://", "ws://a:x"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
