//! The life of one connection of a server: encrypt, read the request, route, answer, hand over.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

#[cfg(feature = "h2")]
use bytes::BytesMut;
use ws_io::{AcceptOptions, Arrival, Error, Incoming, Page, PageRequest, Refusal};
#[cfg(feature = "rustls")]
use ws_session::TransportError;
use ws_session::{Charge, Config, SharedBudget};

use crate::WebSocket;
#[cfg(feature = "rustls")]
use crate::deadline::{Patience, after, until};
use crate::http_version::HttpVersion;
use crate::net::Net;
use crate::remote::Remote;
use crate::server::door::Arriving;
#[cfg(any(feature = "h2", feature = "h3"))]
use crate::server::extended::Carrier;
#[cfg(any(feature = "h2", feature = "h3"))]
use crate::server::multiplexed::Multiplexed;
use crate::server::registry::{Attendant, Phase, Place};
use crate::server::route::Route;
use crate::stream::Stream;
#[cfg(feature = "rustls")]
use crate::tls::Tls;

type Pages = dyn Fn(&str) -> Option<Page> + Send + Sync;

/// What all connections of a server share.
pub(crate) struct Rules<N: Net> {
    pub(crate) net: N,
    pub(crate) plain: Arc<AcceptOptions>,
    pub(crate) secure: Arc<AcceptOptions>,
    pub(crate) route: Option<Route>,
    pub(crate) pages: Option<Box<Pages>>,
    pub(crate) max_connections: usize,
    #[cfg(feature = "h2")]
    pub(crate) h2: crate::H2Options,
    #[cfg(feature = "h3")]
    pub(crate) quic: ws_h3::QuicOptions,
    pub(crate) budget: Option<SharedBudget>,
    /// What pages are charged on: who takes none is not to use up what the WebSockets have.
    pub(crate) page_budget: Option<SharedBudget>,
}

/// What a connection has turned out to be.
pub(super) enum Opened<N: Net> {
    WebSocket(WebSocket<N>),
    /// A connection that carries many of them.
    #[cfg(any(feature = "h2", feature = "h3"))]
    Many(Multiplexed, Carrier),
}

/// A connection, until it is over or the server cuts it. Written out, because an idle connection
/// is hardly more than this: a box for the handshake, then one for the application.
pub(crate) struct Attendance {
    attendant: Attendant,
    stage: Stage,
}

enum Stage {
    Opening(Pin<Box<dyn Future<Output = Option<Task>> + Send>>),
    Open(Task),
}

impl Future for Attendance {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.attendant.poll_phase(cx) == Phase::Cut {
            return Poll::Ready(());
        }
        if let Stage::Opening(opening) = &mut self.stage {
            match ready!(opening.as_mut().poll(cx)) {
                Some(task) => self.stage = Stage::Open(task),
                None => return Poll::Ready(()),
            }
        }
        match &mut self.stage {
            Stage::Opening(_) => Poll::Pending,
            Stage::Open(task) => task.as_mut().poll(cx),
        }
    }
}

/// The value of `Alt-Svc` (RFC 7838) on a connection, if there is one.
pub(super) type Alternative = Option<Arc<str>>;

/// The part of a budget that pages have beside it: the reciprocal.
const PAGES: usize = 8;

/// The field that announces HTTP/3.
const ALT_SVC: &str = "alt-svc";

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<N: Net> Rules<N> {
    pub(crate) fn new(net: N) -> Self {
        Self {
            net,
            plain: Arc::default(),
            secure: Arc::new(AcceptOptions { secure: true, ..AcceptOptions::default() }),
            route: None,
            pages: None,
            max_connections: 65_536,
            #[cfg(feature = "h2")]
            h2: crate::H2Options::default(),
            #[cfg(feature = "h3")]
            quic: ws_h3::QuicOptions::default(),
            budget: None,
            page_budget: None,
        }
    }

    /// Lets every connection charge the budget of the server, and gives the pages theirs.
    pub(crate) fn apply_budget(&mut self) {
        if let Some(budget) = &self.budget {
            for options in [&mut self.plain, &mut self.secure] {
                let mut config = Config::clone(&options.session);
                config.shared_budget = Some(budget.clone());
                Arc::make_mut(options).session = Arc::new(config);
            }
        }
        let budget = self.secure.session.shared_budget.as_ref();
        self.page_budget = budget.map(|budget| SharedBudget::new(budget.max() / PAGES));
    }

    /// Charges what is held for a page, where there is a budget, for as long as a client is given to take
    /// it; or says that there is no room. When the server's budget is used up there is none, either.
    pub(super) fn charge_page(&self, bytes: usize) -> Result<Option<Charge>, Refusal> {
        let Some(pages) = &self.page_budget else { return Ok(None) };
        let mut charge = pages.open();
        let budget = self.secure.session.shared_budget.as_ref();
        if budget.is_none_or(SharedBudget::has_room) && charge.set(bytes) {
            Ok(Some(charge))
        } else {
            Err(Refusal::fixed(503, &[]))
        }
    }

    /// Sees a connection from its arrival to its end.
    pub(crate) fn attend<F, Fut>(
        self: Arc<Self>,
        arriving: Arriving<N>,
        place: Arc<Place>,
        serve: Arc<F>,
    ) -> Attendance
    where
        F: Fn(WebSocket<N>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let opening = Box::pin(self.open(arriving, serve, Arc::clone(&place)));
        Attendance { attendant: Attendant::new(place), stage: Stage::Opening(opening) }
    }

    /// The life of the open connection: the future of the application, boxed so that whatever its
    /// size nothing else is as large.
    async fn open<F, Fut>(
        self: Arc<Self>,
        arriving: Arriving<N>,
        serve: Arc<F>,
        place: Arc<Place>,
    ) -> Option<Task>
    where
        F: Fn(WebSocket<N>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        match self.handshake(arriving).await? {
            Opened::WebSocket(mut websocket) => {
                websocket.watch(place);
                Some(Box::pin(serve(websocket)))
            }
            #[cfg(any(feature = "h2", feature = "h3"))]
            Opened::Many(connection, carrier) => {
                Some(Box::pin(self.serve_all(connection, carrier, place.registry().clone(), serve)))
            }
        }
    }

    /// `None` when nothing came of it: the client has been told why, and so has the log.
    async fn handshake(&self, arriving: Arriving<N>) -> Option<Opened<N>> {
        let peer = arriving.peer_addr();
        let opened = match arriving {
            // Nothing comes before the request, which has the same deadline and a timer of its own.
            Arriving::Ready(stream) => self.receive(stream, None).await,
            #[cfg(feature = "rustls")]
            Arriving::Tls {
                tcp,
                config,
                #[cfg(feature = "h3")]
                alt_svc,
            } => {
                #[cfg(not(feature = "h3"))]
                let alt_svc = None;
                let patience = Patience::new(&self.net, self.secure.silence_timeout);
                let opening = async {
                    let tls = Tls::accept_patiently(tcp, config, patience);
                    let tls = tls.await.map_err(Error::Transport)?;
                    self.receive(Stream::Tls(Box::new(tls)), alt_svc).await
                };
                self.in_time(Box::pin(opening)).await
            }
            #[cfg(feature = "h3")]
            Arriving::Quic(handshake) => {
                self.in_time(Box::pin(self.begin_h3(*handshake))).await.map(Some)
            }
        };
        match opened {
            Ok(opened) => opened,
            Err(error) => {
                // Debug escapes what the client chose.
                tracing::debug!(peer = peer.map(tracing::field::display), ?error, "no websocket");
                None
            }
        }
    }

    /// What comes of `opening` before the handshake has to be over.
    #[cfg(feature = "rustls")]
    async fn in_time<O>(
        &self,
        opening: impl Future<Output = Result<O, Error>>,
    ) -> Result<O, Error> {
        let deadline = after(&self.net, self.plain.handshake_timeout);
        let opened = until(&self.net, deadline, opening).await;
        opened.unwrap_or(Err(Error::Transport(TransportError::Timeout)))
    }

    async fn receive(
        &self,
        stream: Stream<N>,
        alternative: Alternative,
    ) -> Result<Option<Opened<N>>, Error> {
        #[cfg(feature = "h2")]
        if stream.alpn_is(HttpVersion::H2) {
            return Box::pin(self.begin_h2(stream, BytesMut::new(), alternative)).await.map(Some);
        }
        let options = if stream.is_secure() { &self.secure } else { &self.plain };
        match ws_io::receive_any(stream, self.net.clone(), Arc::clone(options)).await? {
            Arrival::Upgrade(incoming) => {
                Ok(self.answer(incoming, alternative).await?.map(Opened::WebSocket))
            }
            Arrival::Page(request) => {
                self.page(request, alternative).await?;
                Ok(None)
            }
            // RFC 9113 §3.3: prior knowledge is for cleartext, under TLS it is negotiated.
            #[cfg(feature = "h2")]
            Arrival::Http2(preface) if !preface.transport().is_secure() => {
                let (stream, received) = preface.into_parts();
                Box::pin(self.begin_h2(stream, received, None)).await.map(Some)
            }
            Arrival::Http2(preface) => Err(preface.refuse().await),
            _ => Ok(None),
        }
    }

    async fn answer(
        &self,
        mut incoming: Box<Incoming<Stream<N>, N>>,
        alternative: Alternative,
    ) -> Result<Option<WebSocket<N>>, Error> {
        if let Some(route) = &self.route {
            let remote = Remote::of(incoming.transport(), HttpVersion::H1);
            match route.decide(&self.net, &self.plain, incoming.request(), &remote).await {
                Ok(Some(attachment)) => *incoming = incoming.with_attachment(attachment),
                Ok(None) => {}
                Err(refusal) => {
                    incoming.refuse(refusal).await?;
                    return Ok(None);
                }
            }
        }
        if let Some(alternative) = alternative {
            *incoming = incoming.with_header(ALT_SVC, &*alternative);
        }
        Ok(Some(incoming.accept().await?))
    }

    async fn page(
        &self,
        request: PageRequest<Stream<N>, N>,
        alternative: Alternative,
    ) -> Result<(), Error> {
        let Some(pages) = &self.pages else {
            let error = ws_h1_upgrade::Error::MissingUpgradeHeader;
            return request.refuse(&error.refusal()).await;
        };
        let Some(mut page) = pages(request.path()) else {
            return request.refuse(&Refusal::fixed(404, &[])).await;
        };
        // Nothing is held for who asks for the header alone.
        let charge = if request.is_head() { Ok(None) } else { self.charge_page(page.held()) };
        match charge {
            Ok(_held) => {
                advertise(&mut page, alternative.as_deref());
                request.answer(page).await
            }
            Err(full) => {
                drop(page);
                request.refuse(&full).await
            }
        }
    }
}

/// Tells with a page that it can be had over HTTP/3 as well.
fn advertise(page: &mut Page, alternative: Option<&str>) {
    if let Some(alternative) = alternative
        && let Err(error) = page.add_header(ALT_SVC, alternative.to_owned())
    {
        tracing::debug!(%error, "HTTP/3 is not advertised");
    }
}

/// Runs `future` unless the server cuts its connections first.
#[cfg(any(feature = "h2", feature = "h3"))]
pub(super) async fn unless_cut<F: Future>(
    attendant: &mut Attendant,
    future: F,
) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match attendant.poll_phase(cx) {
        Phase::Cut => Poll::Ready(None),
        _ => future.as_mut().poll(cx).map(Some),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, FakeStream};
    use crate::server::registry::Registry;

    #[test]
    fn a_connection_that_has_said_nothing_yet_is_small() {
        let rules = Arc::new(Rules::new(Fake::new()));
        let stream = Stream::Tcp(FakeStream { peer: ([127, 0, 0, 1], 3).into(), is_held: false });
        let serve = Arc::new(|_websocket: WebSocket<Fake>| async {});
        let registry = Registry::default();
        let place = registry.try_enter(1).expect("there is room");
        let opening = rules.open(Arriving::Ready(stream), serve, place);
        assert!(size_of_val(&opening) < 4096, "{} bytes", size_of_val(&opening));
    }
}
