//! The life of one connection of a server: encrypt, read the request, route, answer, hand over.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Poll;

use ws_io::{AcceptOptions, Arrival, Error, Incoming, Page, PageRequest, Refusal, Request};
use ws_session::TransportError;

use crate::WebSocket;
use crate::deadline::{after, until};
use crate::net::Net;
use crate::server::door::Arriving;
use crate::server::registry::{Phase, Place};
use crate::stream::Stream;

type Route<N> = dyn Fn(&Request, &Stream<N>) -> Result<(), Refusal> + Send + Sync;
type Pages = dyn Fn(&str) -> Option<Page> + Send + Sync;

/// What all connections of a server share.
pub(crate) struct Rules<N: Net> {
    pub(crate) net: N,
    pub(crate) plain: Arc<AcceptOptions>,
    pub(crate) secure: Arc<AcceptOptions>,
    pub(crate) route: Option<Box<Route<N>>>,
    pub(crate) pages: Option<Box<Pages>>,
}

impl<N: Net> Rules<N> {
    /// Sees a connection from its arrival to its end.
    pub(crate) async fn attend<F, Fut>(
        self: Arc<Self>,
        arriving: Arriving<N>,
        mut place: Place,
        serve: Arc<F>,
    ) where
        F: Fn(WebSocket<N>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        // Boxed, so that an open connection does not carry the memory of its handshake.
        let opening = Box::pin(self.open(arriving, serve, place.leaving()));
        if let Some(Some(task)) = unless_cut(&mut place, opening).await {
            unless_cut(&mut place, task).await;
        }
    }

    /// The future of the application, boxed so that whatever its size nothing else is as large.
    async fn open<F, Fut>(
        self: Arc<Self>,
        arriving: Arriving<N>,
        serve: Arc<F>,
        leaving: Arc<AtomicBool>,
    ) -> Option<Pin<Box<Fut>>>
    where
        F: Fn(WebSocket<N>) -> Fut,
        Fut: Future<Output = ()>,
    {
        let mut websocket = self.handshake(arriving).await?;
        websocket.leave_when(leaving);
        Some(Box::pin(serve(websocket)))
    }

    /// `None` when there is no WebSocket: the client has been told why, and so has the log.
    async fn handshake(&self, arriving: Arriving<N>) -> Option<WebSocket<N>> {
        let deadline = after(&self.net, self.plain.handshake_timeout);
        let opened = until(&self.net, deadline, self.receive(arriving)).await;
        match opened.unwrap_or(Err(Error::Transport(TransportError::Timeout))) {
            Ok(websocket) => websocket,
            Err(error) => {
                // Debug escapes what the client chose.
                tracing::debug!(?error, "no websocket");
                None
            }
        }
    }

    async fn receive(&self, arriving: Arriving<N>) -> Result<Option<WebSocket<N>>, Error> {
        let stream = arriving.open().await.map_err(Error::Transport)?;
        let options = if stream.is_secure() { &self.secure } else { &self.plain };
        match ws_io::receive_any(stream, self.net.clone(), Arc::clone(options)).await? {
            Arrival::Upgrade(incoming) => self.answer(*incoming).await,
            Arrival::Page(request) => {
                self.page(request).await?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    async fn answer(
        &self,
        incoming: Incoming<Stream<N>, N>,
    ) -> Result<Option<WebSocket<N>>, Error> {
        if let Some(route) = &self.route {
            if let Err(refusal) = route(incoming.request(), incoming.transport()) {
                incoming.refuse(refusal).await?;
                return Ok(None);
            }
        }
        Ok(Some(incoming.accept().await?))
    }

    async fn page(&self, request: PageRequest<Stream<N>, N>) -> Result<(), Error> {
        let Some(pages) = &self.pages else {
            let error = ws_h1_upgrade::Error::MissingUpgradeHeader;
            return request.refuse(&error.refusal()).await;
        };
        match pages(request.path()) {
            Some(page) => request.answer(&page).await,
            None => request.refuse(&Refusal::fixed(404, &[])).await,
        }
    }
}

/// Runs `future` unless the server cuts its connections first.
async fn unless_cut<F: Future>(place: &mut Place, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match place.poll_phase(cx) {
        Phase::Cut => Poll::Ready(None),
        _ => future.as_mut().poll(cx).map(Some),
    })
    .await
}
