//! HTTP/3 on the UDP ports of a server: many WebSockets, and pages, on one connection (RFC 9220).

use std::future::{Future, poll_fn};
use std::sync::Arc;

use ws_h3::{Handshake, HttpRequest, Request, ServerConfig, WebSocketRequest};
use ws_io::{AcceptOptions, Error, Refusal};
use ws_session::TransportError;

use crate::WebSocket;
use crate::net::Net;
use crate::remote::Remote;
use crate::server::connection::{Opened, Rules, unless_cut};
use crate::server::extended::{Accepted, Carrier, refusal};
use crate::server::registry::{Place, Registry};
use crate::stream::Stream;

impl<N: Net> Rules<N> {
    /// Sees a QUIC connection through its handshake.
    pub(super) async fn begin_h3(&self, handshake: Handshake) -> Result<Opened<N>, Error> {
        let failed = |error: ws_h3::Error| match error.tls_alert() {
            Some(alert) => Error::Transport(TransportError::TlsAlert(alert)),
            None => Error::Transport(TransportError::Io(error.into())),
        };
        let connection = handshake.complete().await.map_err(failed)?;
        let remote = Remote::of_quic(&connection);
        let config = config(&self.secure);
        let server = ws_h3::Server::accept(connection, self.net.clone(), &config).await;
        Ok(Opened::H3(server.map_err(failed)?, Carrier::new(remote, None)))
    }

    /// Answers the requests of a connection until it ends.
    pub(super) async fn serve_h3<F, Fut>(
        self: Arc<Self>,
        mut server: ws_h3::Server,
        carrier: Carrier,
        registry: Registry,
        serve: Arc<F>,
    ) where
        F: Fn(WebSocket<N>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let carrier = Arc::new(carrier);
        let _carrying = registry.carry();
        let handle = server.handle();
        let mut is_leaving = false;
        loop {
            let request = poll_fn(|cx| {
                if !is_leaving && registry.is_leaving() {
                    is_leaving = true;
                    handle.drain();
                }
                server.poll_next(cx)
            });
            match request.await {
                None => break,
                Some(Request::WebSocket(request)) if registry.live() >= self.max_connections => {
                    tracing::debug!("the house is full: a websocket was refused");
                    self.net.spawn(refuse(request, Refusal::fixed(503, &[])));
                }
                Some(Request::WebSocket(request)) => {
                    let (rules, carrier) = (Arc::clone(&self), Arc::clone(&carrier));
                    let (place, serve) = (registry.enter(), Arc::clone(&serve));
                    self.net.spawn(rules.attend_h3(request, carrier, place, serve));
                }
                Some(Request::Http(request)) => {
                    let (rules, carrier) = (Arc::clone(&self), Arc::clone(&carrier));
                    self.net.spawn(async move { rules.page_h3(request, &carrier).await });
                }
                Some(_) => {}
            }
        }
        if let Some(error) = handle.close_reason() {
            tracing::debug!(reason = error.reason(), "the http/3 connection has ended");
        }
    }

    /// Sees one WebSocket from its request to its end.
    async fn attend_h3<F, Fut>(
        self: Arc<Self>,
        request: WebSocketRequest,
        carrier: Arc<Carrier>,
        mut place: Place,
        serve: Arc<F>,
    ) where
        F: Fn(WebSocket<N>) -> Fut,
        Fut: Future<Output = ()>,
    {
        // Boxed, so that an open WebSocket does not carry the memory of its handshake.
        let answer = Box::pin(self.answer_h3(request, &carrier));
        let Some(Some(mut websocket)) = unless_cut(&mut place, answer).await else { return };
        drop((self, carrier));
        websocket.leave_when(place.leaving());
        let task = Box::pin(serve(websocket));
        unless_cut(&mut place, task).await;
    }

    async fn answer_h3(
        &self,
        request: WebSocketRequest,
        carrier: &Carrier,
    ) -> Option<WebSocket<N>> {
        let Accepted { response, terms } = match self.judge(&request.connect_request(), carrier) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                refuse(request, refusal).await;
                return None;
            }
        };
        match request.accept(response).await {
            Ok(stream) => Some(self.open_on(Stream::H3(Box::new(stream)), terms)),
            Err(error) => {
                tracing::debug!(%error, "the client left before it was answered");
                None
            }
        }
    }

    async fn page_h3(&self, request: HttpRequest, carrier: &Carrier) {
        let response = self.page_over(request.head(), carrier);
        if let Err(error) = request.respond(response).await {
            tracing::debug!(%error, "a page was not answered");
        }
    }
}

async fn refuse(request: WebSocketRequest, answer: Refusal) {
    let peer = request.peer_addr();
    tracing::debug!(transport = "h3", ?peer, status = answer.status(), "handshake refused");
    if let Err(error) = request.refuse(refusal(answer)).await {
        tracing::debug!(%error, "the client left before it was refused");
    }
}

fn config(options: &AcceptOptions) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.max_header_size = u32::try_from(options.max_handshake_size).unwrap_or(u32::MAX);
    config.max_headers = options.max_headers;
    config.handshake_timeout = options.handshake_timeout;
    config.idle_timeout = options.session.idle_timeout;
    config
}
