//! A server, put together and run.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ws_io::{AcceptOptions, Handler, Page, UpgradeInfo};

use ws_session::SharedBudget;

use crate::WebSocket;
use crate::accept::PatientListener;
use crate::deadline::{after, until};
use crate::net::Net;
use crate::server::connection::Rules;
use crate::server::door::{Arriving, Door};
use crate::server::pulse::Pulse;
#[cfg(feature = "h3")]
use crate::server::quic::{QuicListener, within_budget, within_places};
use crate::server::registry::{Phase, Place, Registry};
use crate::server::shutdown::{Drained, Shutdown};
#[cfg(unix)]
use crate::server::socket_file::SocketFile;
use crate::socket;

/// A WebSocket server on the runtime `N`.
///
/// Bound ports listen from the moment they are added; connections are accepted once
/// [`serve`](Self::serve) runs. Each connection gets a task of its own.
///
/// Defaults: at most 65,536 connections ([`with_max_connections`](Self::with_max_connections)), the
/// limits and deadlines of [`AcceptOptions`], those of `QuicOptions` over HTTP/3, every path
/// accepted, no pages.
pub struct Server<N: Net> {
    doors: Vec<Door<N>>,
    pub(super) rules: Rules<N>,
    registry: Registry,
}

impl<N: Net> Server<N> {
    /// A server that listens nowhere yet.
    #[must_use]
    pub fn new(net: N) -> Self {
        Self { doors: Vec::new(), rules: Rules::new(net), registry: Registry::default() }
    }

    /// Listens for `ws` on `address`; port 0 takes a free one, see [`urls`](Self::urls), and `[::]`
    /// stands for all addresses of this host, those of IPv4 as well.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    ///
    /// # Panics
    ///
    /// On tokio, outside of a runtime: its sockets belong to one. So does every other way to listen.
    pub fn listen(self, address: SocketAddr) -> io::Result<Self> {
        self.listen_on(socket::listen_tcp(address)?)
    }

    /// Listens for `ws` on a socket that is bound and listens already: given by a service manager,
    /// or with options of your own, such as `SO_REUSEPORT`.
    ///
    /// # Errors
    ///
    /// The runtime cannot have the socket.
    pub fn listen_on(mut self, socket: TcpListener) -> io::Result<Self> {
        let (listener, address) = self.adopt(socket)?;
        self.doors.push(Door::Tcp { listener, address });
        Ok(self)
    }

    /// Listens for `wss` on `address` with this certificate. The application protocols (ALPN) of
    /// `config` are replaced by those of the HTTP versions served.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    #[cfg(feature = "rustls")]
    pub fn listen_tls(
        self,
        address: SocketAddr,
        config: Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        self.listen_tls_on(socket::listen_tcp(address)?, config)
    }

    /// As [`listen_tls`](Self::listen_tls), on a socket as for [`listen_on`](Self::listen_on).
    ///
    /// # Errors
    ///
    /// The runtime cannot have the socket.
    #[cfg(feature = "rustls")]
    pub fn listen_tls_on(
        mut self,
        socket: TcpListener,
        config: Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        let (listener, address) = self.adopt(socket)?;
        let config = crate::tls::server_with_alpn(config);
        self.doors.push(Door::Tls {
            listener,
            address,
            config,
            #[cfg(feature = "h3")]
            alt_svc: None,
        });
        Ok(self)
    }

    /// Listens for `wss` on `address` as [`listen_tls`](Self::listen_tls) does, and over HTTP/3 on
    /// the UDP port of the same number, which is announced (`Alt-Svc`, RFC 7838) to who comes by
    /// another version. Port 0 takes a number that is free for both.
    ///
    /// # Errors
    ///
    /// The address cannot be bound, the runtime has no UDP sockets, or `config` does not allow TLS
    /// 1.3 with AES-128-GCM, which QUIC needs.
    #[cfg(feature = "h3")]
    pub fn listen_tls_and_h3(
        mut self,
        address: SocketAddr,
        config: Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
        let (listener, address, quic) = loop {
            tries -= 1;
            let (listener, bound) = self.adopt(socket::listen_tcp(address)?)?;
            match QuicListener::bind(&self.rules.net, bound, &config, &self.rules.quic) {
                Ok(quic) => break (listener, bound, quic),
                Err(error) if tries == 0 || !socket::is_taken(&error) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        };
        let alt_svc = Some(format!("h3=\":{}\"; ma=86400", address.port()).into());
        let config = crate::tls::server_with_alpn(config);
        self.doors.push(Door::Tls { listener, address, config, alt_svc });
        self.doors.push(Door::Quic { listener: Box::new(quic), address, is_silent: true });
        Ok(self)
    }

    /// Listens for `wss` over HTTP/3 alone, on a UDP port.
    ///
    /// # Errors
    ///
    /// As [`listen_tls_and_h3`](Self::listen_tls_and_h3).
    #[cfg(feature = "h3")]
    pub fn listen_h3(
        mut self,
        address: SocketAddr,
        config: Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        let listener = QuicListener::bind(&self.rules.net, address, &config, &self.rules.quic)?;
        let address = listener.address()?;
        self.doors.push(Door::Quic { listener: Box::new(listener), address, is_silent: false });
        Ok(self)
    }

    /// Listens for `ws` on a Unix socket at `path`, which must not exist; it is removed when the
    /// listener is closed, unless another server has put its own there by then.
    ///
    /// # Errors
    ///
    /// The path cannot be bound.
    #[cfg(unix)]
    pub fn listen_unix(self, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let socket = socket::listen_unix(path)?;
        self.add_unix(socket, SocketFile::of(path))
    }

    /// Listens for `ws` on a Unix socket that is bound and listens already: given by a service manager,
    /// or with permissions of your own. Its file stays when the listener is closed.
    ///
    /// # Errors
    ///
    /// The runtime cannot have the socket.
    #[cfg(unix)]
    pub fn listen_unix_on(self, socket: UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let path = address.as_pathname().map(Path::to_owned).unwrap_or_default();
        self.add_unix(socket, SocketFile::of_another(&path))
    }

    #[cfg(unix)]
    fn add_unix(mut self, socket: UnixListener, file: SocketFile) -> io::Result<Self> {
        let listener = self.rules.net.listen_unix(socket)?;
        let listener = PatientListener::new(listener, self.rules.net.clone());
        self.doors.push(Door::Unix { file, listener });
        Ok(self)
    }

    /// Accepts connections by these options. [`AcceptOptions::secure`] is set for each listener as
    /// it is.
    #[must_use]
    pub fn with_options(mut self, options: AcceptOptions) -> Self {
        let trusted = self.rules.plain.secure;
        self.rules.secure = Arc::new(AcceptOptions { secure: true, ..options.clone() });
        self.rules.plain = Arc::new(AcceptOptions { secure: trusted, ..options });
        self
    }

    /// Says that all cleartext listeners are reached through a gateway alone that speaks TLS with
    /// the clients (RFC 9110 §7.4): what comes over them counts as secure. Requests for `https` are
    /// served instead of being refused, and the same origin is that of the `https` page.
    ///
    /// Do not say so of a listener that others can reach: they would be believed, too.
    #[must_use]
    pub fn with_trusted_gateway(mut self) -> Self {
        self.rules.plain = Arc::new(AcceptOptions { secure: true, ..(*self.rules.plain).clone() });
        self
    }

    /// Holds at most this many connections, handshakes included, but at least one. Beyond that
    /// nothing is accepted: the operating system queues and finally refuses.
    ///
    /// A connection over HTTP/2 or HTTP/3 counts, and so does each WebSocket on it; one too many on
    /// a connection that stands is answered 503. Over HTTP/3 at most an eighth is for handshakes with
    /// addresses that are not proven, whatever `QuicOptions::retry_above`.
    #[must_use]
    pub fn with_max_connections(mut self, max: usize) -> Self {
        self.rules.max_connections = max.max(1);
        self
    }

    /// Bounds of HTTP/2 connections.
    #[cfg(feature = "h2")]
    #[must_use]
    pub fn with_h2(mut self, options: crate::H2Options) -> Self {
        self.rules.h2 = options;
        self
    }

    /// Bounds and timers of QUIC connections, whether their listeners were added before or after.
    /// The handshakes under way on all of them count together.
    #[cfg(feature = "h3")]
    #[must_use]
    pub fn with_quic(mut self, options: ws_h3::QuicOptions) -> Self {
        self.rules.quic = options;
        self
    }

    /// Holds at most this many bytes for all connections together, over whichever HTTP version: a
    /// [`SharedBudget`], in place of the one in the options. Less than 1 MiB counts as 1 MiB. None
    /// by default, because only you know how much memory there is; three quarters of it is a good
    /// beginning.
    ///
    /// From seven eighths on, new WebSockets are answered 503, and a connection that holds more than
    /// 64 KiB is closed when it grows, with 1013 or 1008 (see [`Config::shared_budget`]). What has
    /// come over HTTP/2 and nobody has read counts: when it does not fit, the stream of its connection
    /// that holds most is reset. QUIC does not tell how much it holds unread, so over HTTP/3 that is
    /// beside the budget, and at most an eighth of it for each connection: the windows of
    /// `QuicOptions` shrink to that.
    ///
    /// Pages have a budget of their own beside it, an eighth as large but at least 1 MiB, so that clients
    /// that ask for pages and take none are in the way of no WebSocket. A page counts while a client
    /// takes it, for each that does, unless it is a part of the program (`&'static`); a `HEAD` takes
    /// nothing. When it does not fit, and from seven eighths of the other budget on, the answer is 503. One
    /// that takes more than seven eighths of the budget of pages never fits.
    ///
    /// [`Config::shared_budget`]: ws_session::Config::shared_budget
    #[must_use]
    pub fn with_memory_budget(mut self, bytes: usize) -> Self {
        self.rules.budget = Some(SharedBudget::new(bytes));
        self
    }

    /// The budget of [`with_memory_budget`](Self::with_memory_budget), to watch how much is in use.
    #[must_use]
    pub fn memory_budget(&self) -> Option<SharedBudget> {
        self.rules.budget.clone()
    }

    /// Answers an ordinary `GET` with the page `pages` has for its path, or 404. Without it such
    /// requests are answered 426 (Upgrade Required), and over HTTP/2 and HTTP/3, which have no
    /// `Upgrade`, 404.
    ///
    /// A client that has not taken a page within [`AcceptOptions::handshake_timeout`] is cut, over
    /// whichever HTTP version and however much it has taken: this is for pages and health checks, not
    /// for downloads.
    #[must_use]
    pub fn with_pages(
        mut self,
        pages: impl Fn(&str) -> Option<Page> + Send + Sync + 'static,
    ) -> Self {
        self.rules.pages = Some(Box::new(pages));
        self
    }

    /// The addresses listened on, in the order they were added; Unix sockets have none.
    pub fn local_addrs(&self) -> impl Iterator<Item = SocketAddr> {
        self.doors.iter().filter(|door| !door.is_silent()).filter_map(Door::address)
    }

    /// Where to connect to, as URLs, in the order they were added: `ws://127.0.0.1:8080/`,
    /// `wss://[::1]:8443/`, `ws+unix:/run/chat.sock`.
    pub fn urls(&self) -> impl Iterator<Item = String> {
        self.doors.iter().filter(|door| !door.is_silent()).map(Door::to_string)
    }

    /// How to end this server.
    #[must_use]
    pub fn shutdown_handle(&self) -> Shutdown {
        Shutdown { registry: self.registry.clone() }
    }

    /// Gives each WebSocket to `serve`, in a task of its own, until the server is
    /// [shut down](Self::shutdown_handle).
    ///
    /// A WebSocket that is dropped when its task returns, or panics, says no goodbye: the peer sees
    /// 1006, and what was fed and not written is lost. Close it, or read until `None`. A panic ends
    /// that connection and no other; who reports it is the runtime.
    ///
    /// Errors of a connection are that connection's; running out of file descriptors makes a pause.
    /// At the shutdown a WebSocket says goodbye while it waits in `next`, in whichever task that is:
    /// one that was handed to another, or a half of one, counts until it is dropped there, over HTTP/2
    /// and HTTP/3 until it has ended.
    ///
    /// Dropping the future stops accepting and leaves the connections to themselves.
    pub async fn serve<F, Fut>(self, serve: F) -> Drained
    where
        F: Fn(WebSocket<N>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let Self { mut doors, mut rules, registry } = self;
        rules.apply_budget();
        let (net, max_connections) = (rules.net.clone(), rules.max_connections);
        #[cfg(feature = "h3")]
        {
            rules.quic = within_places(&rules.quic, max_connections);
            if let Some(budget) = &rules.secure.session.shared_budget {
                rules.quic = within_budget(&rules.quic, budget.max());
            }
            // One for all listeners: they share the places.
            let admission = ws_h3::Admission::new(&rules.quic);
            doors.iter_mut().for_each(|door| door.set_quic(&rules.quic, &admission));
        }
        let (rules, serve) = (Arc::new(rules), Arc::new(serve));
        let (mut pulse, mut early) = (Pulse::new(), None);
        poll_fn(|cx| {
            let mut arrived = 0;
            while let Poll::Ready(Some((arriving, place))) =
                poll_arrival(cx, &mut doors, &mut early, &registry, max_connections)
            {
                let (rules, serve) = (Arc::clone(&rules), Arc::clone(&serve));
                net.spawn(rules.attend(arriving, place, serve));
                arrived += 1;
                if arrived == ACCEPTS_PER_TURN {
                    cx.waker().wake_by_ref();
                    break;
                }
            }
            pulse.keep(cx, &net, || registry.live() > 0);
            if registry.phase() == Phase::Serving { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        drop((pulse, early));
        #[cfg(feature = "h3")]
        let endpoints: Vec<_> = doors.iter().filter_map(Door::endpoint).cloned().collect();
        drop(doors);
        let drained = drain(&net, &registry).await;
        #[cfg(feature = "h3")]
        for endpoint in endpoints {
            // The last packets, which tell the clients that it is over.
            let _ = until(&net, after(&net, LAST_RESPITE), endpoint.wait_idle()).await;
        }
        drained
    }

    /// As [`serve`](Self::serve) with a [`Handler`] for each connection, made by `handler` from what
    /// the handshake asked for.
    pub async fn serve_handlers<F, H>(self, handler: F) -> Drained
    where
        F: Fn(&UpgradeInfo) -> H + Send + Sync + 'static,
        H: Handler + 'static,
    {
        let handler = Arc::new(handler);
        self.serve(move |websocket| {
            let handler = Arc::clone(&handler);
            async move {
                let info = websocket.upgrade_info().cloned().unwrap_or_default();
                let (_mailbox, inbox) = ws_io::mailbox(MAILBOX);
                ws_io::run(websocket, handler(&info), inbox).await;
            }
        })
        .await
    }

    fn adopt(
        &self,
        socket: TcpListener,
    ) -> io::Result<(PatientListener<N::TcpListener, N>, SocketAddr)> {
        let net = &self.rules.net;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok((PatientListener::new(net.listen_tcp(socket)?, net.clone()), address))
    }
}

impl<N: Net> fmt::Debug for Server<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("urls", &self.urls().collect::<Vec<_>>())
            .field("max_connections", &self.rules.max_connections)
            .finish_non_exhaustive()
    }
}

/// The next connection of any door, and its place; none while the house is full or closing. One that
/// came too `early` is the first when there is room.
fn poll_arrival<N: Net>(
    cx: &mut Context<'_>,
    doors: &mut [Door<N>],
    early: &mut Option<Arriving<N>>,
    registry: &Registry,
    max_connections: usize,
) -> Poll<Option<(Arriving<N>, Arc<Place>)>> {
    let has_room = registry.poll_room(cx, max_connections).is_ready();
    if registry.phase() != Phase::Serving || !has_room {
        return Poll::Ready(None);
    }
    let Some(arriving) = early.take().or_else(|| accept(cx, doors)) else { return Poll::Pending };
    let Some(place) = registry.try_enter(max_connections) else {
        // A WebSocket on another connection has taken the last place meanwhile.
        *early = Some(arriving);
        cx.waker().wake_by_ref();
        return Poll::Pending;
    };
    Poll::Ready(Some((arriving, place)))
}

/// The next connection of any door.
fn accept<N: Net>(cx: &mut Context<'_>, doors: &mut [Door<N>]) -> Option<Arriving<N>> {
    for index in 0..doors.len() {
        if let Some(Poll::Ready(arriving)) = doors.get_mut(index).map(|door| door.poll_accept(cx)) {
            // A busy door goes to the end of the line.
            doors.rotate_left(index + 1);
            return Some(arriving);
        }
    }
    None
}

/// Waits for the connections to finish, then for those that were cut.
async fn drain<N: Net>(net: &N, registry: &Registry) -> Drained {
    let within = registry.drain_for().unwrap_or_default();
    if until(net, after(net, within), registry.emptied()).await.is_some() {
        return Drained { cut: 0 };
    }
    let cut = registry.leaves();
    tracing::debug!(cut, "the deadline of the drain has passed");
    registry.cut();
    // Their tasks end when they are next polled; one that blocks its thread is not waited for.
    let _ = until(net, after(net, LAST_RESPITE), registry.emptied()).await;
    Drained { cut }
}

/// Connections accepted before other tasks get their turn.
const ACCEPTS_PER_TURN: usize = 64;

/// Room in the mailbox of a handler.
const MAILBOX: usize = 64;

/// Numbers tried until one is free for TCP and UDP.
#[cfg(feature = "h3")]
const PORT_TRIES: usize = 16;

const LAST_RESPITE: Duration = Duration::from_secs(1);
