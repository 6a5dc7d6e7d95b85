//! HTTP/2 on the ports of a server: many WebSockets, and pages, on one connection (RFC 8441).

use std::future::{Future, poll_fn};
use std::sync::Arc;

use bytes::BytesMut;
use ws_h2::{HttpRequest, Request, ServerConfig, WebSocketRequest};
use ws_io::{AcceptOptions, Error, Refusal};
use ws_session::TransportError;

use crate::WebSocket;
use crate::carrier_io::CarrierIo;
use crate::http_version::HttpVersion;
use crate::net::Net;
use crate::remote::Remote;
use crate::server::connection::{Alternative, Opened, Rules, unless_cut};
use crate::server::extended::{Accepted, Carrier, refusal};
use crate::server::registry::{Place, Registry};
use crate::stream::Stream;

impl<N: Net> Rules<N> {
    /// Begins HTTP/2 on a stream of which `received` was read already.
    pub(super) async fn begin_h2(
        &self,
        stream: Stream<N>,
        received: BytesMut,
        alternative: Alternative,
    ) -> Result<Opened<N>, Error> {
        let remote = Remote::of(&stream, HttpVersion::H2);
        let config = config(self.options(remote.is_secure()));
        let io = CarrierIo::new(stream, received);
        let server = ws_h2::Server::accept(io, remote.address(), self.net.clone(), &config)
            .await
            .map_err(|error| Error::Transport(TransportError::Io(error.into())))?;
        Ok(Opened::H2(server, Carrier::new(remote, alternative)))
    }

    /// Answers the requests of a connection until it ends.
    pub(super) async fn serve_h2<F, Fut>(
        self: Arc<Self>,
        mut server: ws_h2::Server,
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
                    refuse(request, Refusal::fixed(503, &[]));
                }
                Some(Request::WebSocket(request)) => {
                    let (rules, carrier) = (Arc::clone(&self), Arc::clone(&carrier));
                    let (place, serve) = (registry.enter(), Arc::clone(&serve));
                    self.net.spawn(rules.attend_h2(request, carrier, place, serve));
                }
                Some(Request::Http(request)) => self.page_h2(request, &carrier),
                Some(_) => {}
            }
        }
        if let Some(error) = handle.close_reason() {
            tracing::debug!(reason = error.reason(), "the http/2 connection has ended");
        }
    }

    /// Sees one WebSocket from its request to its end.
    async fn attend_h2<F, Fut>(
        self: Arc<Self>,
        request: WebSocketRequest,
        carrier: Arc<Carrier>,
        mut place: Place,
        serve: Arc<F>,
    ) where
        F: Fn(WebSocket<N>) -> Fut,
        Fut: Future<Output = ()>,
    {
        let Some(mut websocket) = self.answer_h2(request, &carrier) else { return };
        drop((self, carrier));
        websocket.leave_when(place.leaving());
        let task = Box::pin(serve(websocket));
        unless_cut(&mut place, task).await;
    }

    fn answer_h2(&self, request: WebSocketRequest, carrier: &Carrier) -> Option<WebSocket<N>> {
        let Accepted { response, terms } = match self.judge(&request.connect_request(), carrier) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                refuse(request, refusal);
                return None;
            }
        };
        match request.accept(response) {
            Ok(stream) => {
                let is_secure = carrier.remote.is_secure();
                Some(self.open_on(Stream::H2 { stream: Box::new(stream), is_secure }, terms))
            }
            Err(error) => {
                tracing::debug!(%error, "the client left before it was answered");
                None
            }
        }
    }

    fn page_h2(&self, request: HttpRequest, carrier: &Carrier) {
        let response = self.page_over(request.head(), carrier);
        if let Err(error) = request.respond(response) {
            tracing::debug!(%error, "a page was not answered");
        }
    }
}

fn refuse(request: WebSocketRequest, answer: Refusal) {
    let peer = request.peer_addr();
    tracing::debug!(transport = "h2", ?peer, status = answer.status(), "handshake refused");
    if let Err(error) = request.refuse(refusal(answer)) {
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
