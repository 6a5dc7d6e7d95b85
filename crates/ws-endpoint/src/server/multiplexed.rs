//! Connections that carry many WebSockets, and pages: one service over HTTP/2 and HTTP/3. How a
//! connection of either begins is the business of `h2` and `h3`.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use ws_h2_upgrade::ConnectRequest;
use ws_io::Refusal;

use crate::WebSocket;
use crate::net::Net;
use crate::server::connection::{Rules, unless_cut};
use crate::server::extended::{Accepted, Carrier, refusal};
use crate::server::registry::{Attendant, Place, Registry};
use crate::stream::Stream;

/// A connection of which requests come.
pub(super) enum Multiplexed {
    #[cfg(feature = "h2")]
    H2(ws_h2::Server),
    #[cfg(feature = "h3")]
    H3(ws_h3::Server),
}

/// A wish for a WebSocket.
enum Ask {
    #[cfg(feature = "h2")]
    H2(ws_h2::WebSocketRequest),
    #[cfg(feature = "h3")]
    H3(ws_h3::WebSocketRequest),
}

/// An ordinary request.
enum Visit {
    #[cfg(feature = "h2")]
    H2(ws_h2::HttpRequest),
    #[cfg(feature = "h3")]
    H3(ws_h3::HttpRequest),
}

enum Request {
    WebSocket(Ask),
    Page(Visit),
    /// Something newer than this.
    Unknown,
}

/// Calls the same on whatever version it is.
macro_rules! each {
    ($value:expr, $inner:ident => $call:expr) => {
        match $value {
            #[cfg(feature = "h2")]
            Self::H2($inner) => $call,
            #[cfg(feature = "h3")]
            Self::H3($inner) => $call,
        }
    };
}

type Answered<T> = Result<T, Box<dyn Error + Send + Sync>>;

impl Multiplexed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        match self {
            #[cfg(feature = "h2")]
            Self::H2(server) => server.poll_next(cx).map(|request| match request? {
                ws_h2::Request::WebSocket(ask) => Some(Request::WebSocket(Ask::H2(ask))),
                ws_h2::Request::Http(visit) => Some(Request::Page(Visit::H2(visit))),
                _ => Some(Request::Unknown),
            }),
            #[cfg(feature = "h3")]
            Self::H3(server) => server.poll_next(cx).map(|request| match request? {
                ws_h3::Request::WebSocket(ask) => Some(Request::WebSocket(Ask::H3(ask))),
                ws_h3::Request::Http(visit) => Some(Request::Page(Visit::H3(visit))),
                _ => Some(Request::Unknown),
            }),
        }
    }

    /// Takes no more requests (GOAWAY); what is open runs to its end.
    fn drain(&self) {
        each!(self, server => server.handle().drain());
    }

    /// Why the connection has ended.
    fn close_reason(&self) -> Option<&'static str> {
        each!(self, server => server.handle().close_reason().map(|error| error.reason()))
    }
}

impl Ask {
    fn request(&self) -> ConnectRequest<'_, HeaderMap> {
        each!(self, ask => ask.connect_request())
    }

    async fn accept<N: Net>(self, response: Response<()>, is_secure: bool) -> Answered<Stream<N>> {
        match self {
            #[cfg(feature = "h2")]
            Self::H2(ask) => Ok(Stream::H2 { stream: Box::new(ask.accept(response)?), is_secure }),
            #[cfg(feature = "h3")]
            Self::H3(ask) => {
                debug_assert!(is_secure, "quic is always encrypted");
                Ok(Stream::H3(Box::new(ask.accept(response).await?)))
            }
        }
    }

    async fn refuse(self, answer: Refusal) {
        let (transport, peer): (_, Option<SocketAddr>) = match &self {
            #[cfg(feature = "h2")]
            Self::H2(ask) => ("h2", ask.peer_addr()),
            #[cfg(feature = "h3")]
            Self::H3(ask) => ("h3", Some(ask.peer_addr())),
        };
        tracing::debug!(transport, ?peer, status = answer.status(), "handshake refused");
        let response = refusal(answer);
        let refused: Answered<()> = match self {
            #[cfg(feature = "h2")]
            Self::H2(ask) => ask.refuse(response).map_err(Into::into),
            #[cfg(feature = "h3")]
            Self::H3(ask) => ask.refuse(response).await.map_err(Into::into),
        };
        if let Err(error) = refused {
            tracing::debug!(%error, "the client left before it was refused");
        }
    }
}

impl Visit {
    fn head(&self) -> &http::Request<()> {
        each!(self, visit => visit.head())
    }

    async fn respond(self, response: Response<Bytes>) {
        let answered: Answered<()> = match self {
            #[cfg(feature = "h2")]
            Self::H2(visit) => visit.respond(response).map_err(Into::into),
            #[cfg(feature = "h3")]
            Self::H3(visit) => visit.respond(response).await.map_err(Into::into),
        };
        if let Err(error) = answered {
            tracing::debug!(%error, "a page was not answered");
        }
    }
}

impl<N: Net> Rules<N> {
    /// Answers the requests of a connection until it ends.
    pub(super) async fn serve_all<F, Fut>(
        self: Arc<Self>,
        mut connection: Multiplexed,
        carrier: Carrier,
        registry: Registry,
        serve: Arc<F>,
    ) where
        F: Fn(WebSocket<N>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let carrier = Arc::new(carrier);
        let _carrying = registry.carry();
        let mut is_leaving = false;
        loop {
            let request = poll_fn(|cx| {
                if !is_leaving && registry.is_leaving() {
                    is_leaving = true;
                    connection.drain();
                }
                connection.poll_next(cx)
            });
            match request.await {
                None => break,
                Some(Request::WebSocket(ask)) => {
                    let Some(place) = registry.try_enter(self.max_connections) else {
                        tracing::debug!("the house is full: a websocket was refused");
                        self.net.spawn(ask.refuse(Refusal::fixed(503, &[])));
                        continue;
                    };
                    let (rules, carrier) = (Arc::clone(&self), Arc::clone(&carrier));
                    self.net.spawn(rules.attend_one(ask, carrier, place, Arc::clone(&serve)));
                }
                Some(Request::Page(visit)) => {
                    let (rules, carrier) = (Arc::clone(&self), Arc::clone(&carrier));
                    // What makes the page is the program's: a panic there is not to end the connection.
                    self.net.spawn(async move {
                        let response = rules.page_over(visit.head(), &carrier);
                        drop((rules, carrier));
                        visit.respond(response).await;
                    });
                }
                Some(Request::Unknown) => {}
            }
        }
        if let Some(reason) = connection.close_reason() {
            tracing::debug!(reason, "a connection of many has ended");
        }
    }

    /// Sees one WebSocket from its request to its end.
    async fn attend_one<F, Fut>(
        self: Arc<Self>,
        ask: Ask,
        carrier: Arc<Carrier>,
        place: Arc<Place>,
        serve: Arc<F>,
    ) where
        F: Fn(WebSocket<N>) -> Fut,
        Fut: Future<Output = ()>,
    {
        // Boxed, so that an open WebSocket does not carry the memory of its handshake.
        let mut attendant = Attendant::new(Arc::clone(&place));
        let answer = Box::pin(self.answer_one(ask, &carrier));
        let Some(Some(mut websocket)) = unless_cut(&mut attendant, answer).await else { return };
        drop((self, carrier));
        websocket.watch(place);
        let task = Box::pin(serve(websocket));
        unless_cut(&mut attendant, task).await;
    }

    async fn answer_one(&self, ask: Ask, carrier: &Carrier) -> Option<WebSocket<N>> {
        let Accepted { response, terms } = match self.judge(&ask.request(), carrier).await {
            Ok(accepted) => accepted,
            Err(refusal) => {
                ask.refuse(refusal).await;
                return None;
            }
        };
        match ask.accept(response, carrier.remote.is_secure()).await {
            Ok(stream) => Some(self.open_on(stream, terms)),
            Err(error) => {
                tracing::debug!(%error, "the client left before it was answered");
                None
            }
        }
    }
}
