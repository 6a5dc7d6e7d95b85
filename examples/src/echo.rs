//! What the echo servers on the three runtimes share: the options of the command line, and the server
//! they make.

use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lexopt::Arg::{Long, Short};
use ws_stack::endpoint::{
    AcceptOptions, Config, Net, OriginPolicy, Server, SubprotocolPolicy, WebSocket,
};

use crate::certificates::{Certificates, host_of};
use crate::{arguments, limits, page};

/// What `--help` says of the options.
pub const USAGE: &str = "\
Echoes every message on every path, and serves a page to try that from.

  --listen ADDR           listen for ws (and http for the page), over HTTP/1.1 and, with prior
                          knowledge, HTTP/2; may be repeated
  --tls-listen ADDR       listen for wss (and https) over HTTP/1.1, HTTP/2 and, by UDP, HTTP/3,
                          with a certificate made now; may be repeated
                          without either: 127.0.0.1:9001 and, with TLS, 127.0.0.1:9002
  --unix PATH             listen on a Unix socket
  --ca-out FILE           write the authority that vouches for the certificate, as PEM
  --host NAME             make the certificate valid for this name or address as well
  --deflate               compress (RFC 7692) where the client offers it
    --deflate-release SECONDS  keep idle contexts so long (10)
  --origin any|same       which pages may connect (same)
  --subprotocol NAME      speak this subprotocol when offered; may be repeated
  --max-connections N     most connections at a time (65536)
  --handshake SECONDS     longest handshake, TLS included (15)
  --max-head SIZE         largest request (64k)
  --max-headers N         most header fields of a request (100)
  --threads N             worker threads (one per core; tokio only, the others read
                          ASYNC_STD_THREAD_COUNT and SMOL_THREADS)
  --drain SECONDS         how long to wait for the clients at the end (5)";

/// The command line.
#[derive(Debug)]
pub struct Options {
    listen: Vec<SocketAddr>,
    tls_listen: Vec<SocketAddr>,
    unix: Vec<PathBuf>,
    ca_out: Option<PathBuf>,
    hosts: Vec<String>,
    accept: AcceptOptions,
    subprotocols: Vec<String>,
    max_connections: Option<usize>,
    /// How many worker threads to start, where the runtime can be told.
    pub threads: Option<usize>,
    /// How long to wait for the clients at the end.
    pub drain: Duration,
}

impl Options {
    /// Reads the command line; ends the program where that asks for help or makes no sense.
    #[must_use]
    pub fn read() -> Self {
        Self::parse().unwrap_or_else(|error| arguments::refuse(error))
    }

    fn parse() -> Result<Self, lexopt::Error> {
        let mut options = Self {
            listen: Vec::new(),
            tls_listen: Vec::new(),
            unix: Vec::new(),
            ca_out: None,
            hosts: Vec::new(),
            accept: AcceptOptions::default(),
            subprotocols: Vec::new(),
            max_connections: None,
            threads: None,
            drain: Duration::from_secs(5),
        };
        let mut session = Config::default();
        let mut parser = lexopt::Parser::from_env();
        let parser = &mut parser;
        while let Some(argument) = parser.next()? {
            match argument {
                Long("listen") => options.listen.push(arguments::value(parser)?),
                Long("tls-listen") => options.tls_listen.push(arguments::value(parser)?),
                Long("unix") => options.unix.push(arguments::value(parser)?),
                Long("ca-out") => options.ca_out = Some(arguments::value(parser)?),
                Long("host") => options.hosts.push(arguments::value(parser)?),
                Long("deflate") => {
                    options.accept.deflate.get_or_insert_default();
                }
                Long("deflate-release") => {
                    let deflate = options.accept.deflate.get_or_insert_default();
                    deflate.release_after = arguments::seconds(parser)?;
                }
                Long("origin") => options.accept.origin = origin(&arguments::text(parser)?)?,
                Long("subprotocol") => options.subprotocols.push(arguments::text(parser)?),
                Long("max-connections") => {
                    options.max_connections = Some(arguments::value(parser)?);
                }
                Long("handshake") => {
                    options.accept.handshake_timeout = arguments::seconds(parser)?;
                }
                Long("max-head") => {
                    options.accept.max_handshake_size = arguments::size(parser)?;
                }
                Long("max-headers") => options.accept.max_headers = arguments::value(parser)?,
                Long("threads") => options.threads = Some(arguments::value(parser)?),
                Long("drain") => options.drain = arguments::seconds(parser)?,
                Long("help") | Short('h') => {
                    arguments::help(&format!("{USAGE}\n\n{}", limits::USAGE))
                }
                Long(name) => {
                    let name = name.to_owned();
                    if !limits::read(&name, parser, &mut session)? {
                        return Err(lexopt::Error::UnexpectedOption(format!("--{name}")));
                    }
                }
                other => return Err(other.unexpected()),
            }
        }
        if options.listen.is_empty() && options.tls_listen.is_empty() && options.unix.is_empty() {
            options.listen.push(SocketAddr::from(([127, 0, 0, 1], 9001)));
            options.tls_listen.push(SocketAddr::from(([127, 0, 0, 1], 9002)));
        }
        options.accept.session = Arc::new(session);
        if !options.subprotocols.is_empty() {
            options.accept.subprotocols =
                SubprotocolPolicy::optional(options.subprotocols.drain(..));
        }
        Ok(options)
    }

    /// Makes the server and says where it listens, one line for each address.
    ///
    /// # Errors
    ///
    /// An address cannot be bound, or the authority cannot be written to its file.
    pub fn server<N: Net>(&self, net: N) -> Result<Server<N>, Box<dyn Error + Send + Sync>> {
        let pages = |path: &str| (path == "/").then(page::echo);
        let mut server = Server::new(net).with_options(self.accept.clone()).with_pages(pages);
        if let Some(max) = self.max_connections {
            server = server.with_max_connections(max);
        }
        for address in &self.listen {
            server = server.listen(*address).map_err(|error| format!("{address}: {error}"))?;
        }
        if !self.tls_listen.is_empty() {
            let mut hosts = self.hosts.clone();
            hosts.extend(self.tls_listen.iter().filter_map(host_of));
            let certificates = Certificates::generate(&hosts)?;
            if let Some(file) = &self.ca_out {
                std::fs::write(file, &certificates.authority_pem)?;
            }
            for address in &self.tls_listen {
                let config = Arc::clone(&certificates.server);
                server = server
                    .listen_tls_and_h3(*address, config)
                    .map_err(|error| format!("{address}: {error}"))?;
            }
        }
        #[cfg(unix)]
        for path in &self.unix {
            server = server.listen_unix(path)?;
        }
        let mut stdout = io::stdout().lock();
        for url in server.urls() {
            writeln!(stdout, "listening {url}")?;
        }
        stdout.flush()?;
        Ok(server)
    }
}

/// The fast loop: `feed` queues, and `next` writes what is queued just before it would wait, so a
/// burst of messages is answered with one system call.
pub async fn echo<N: Net>(mut websocket: WebSocket<N>) {
    websocket.take_upgrade_info();
    while let Some(Ok(message)) = websocket.next().await {
        if message.data_kind().is_some() {
            // Refused once a goodbye is under way, which `next` sees to its end.
            let _ = websocket.feed(message).await;
        }
    }
}

fn origin(text: &str) -> Result<OriginPolicy, lexopt::Error> {
    match text {
        "any" => Ok(OriginPolicy::Any),
        "same" => Ok(OriginPolicy::SameOrigin),
        _ => Err(format!("--origin is any or same, not {text:?}").into()),
    }
}
