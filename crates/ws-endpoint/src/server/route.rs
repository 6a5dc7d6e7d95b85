//! Who is given a WebSocket: the decision of the application.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ws_io::{AcceptOptions, Refusal, Request, Runtime};

use crate::deadline::{after, until};
use crate::net::Net;
use crate::remote::Remote;
use crate::server::Server;

/// A decision that takes time; see [`Server::with_async_route`].
pub type Deciding<'a, A = ()> = Pin<Box<dyn Future<Output = Result<A, Refusal>> + Send + 'a>>;

impl<N: Net> Server<N> {
    /// Looks at each request before it is accepted, over whichever HTTP version: path, query,
    /// cookies, credentials, and who asks: address, certificate. Without it every path is served.
    ///
    /// What it returns goes along to the WebSocket, where
    /// [`UpgradeInfo::attachment`](ws_io::UpgradeInfo::attachment) has it; most have nothing to say
    /// and return `()`. A closure that only refuses has to name that type: `Err::<(), _>(refusal)`.
    ///
    /// ```
    /// # use ws_endpoint::{Net, Server, WebSocket};
    /// # use ws_io::Refusal;
    /// # fn user_of(token: &str) -> Option<User> { (token == "12345").then(|| User("ann".into())) }
    /// struct User(String);
    ///
    /// # fn route<N: Net>(server: Server<N>) -> Server<N> {
    /// server.with_route(|request, _remote| {
    ///     if request.path_only() != "/chat" {
    ///         return Err(Refusal::fixed(404, &[]));
    ///     }
    ///     let authorization = request.headers.get("authorization");
    ///     let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
    ///     token.and_then(user_of).ok_or_else(|| {
    ///         Refusal::fixed(401, &[("WWW-Authenticate", "Bearer")]).with_text("who are you?")
    ///     })
    /// })
    /// # }
    ///
    /// async fn chat<N: Net>(websocket: WebSocket<N>) {
    ///     let user = websocket.upgrade_info().and_then(|info| info.attachment::<User>());
    ///     // …
    /// # let _ = user.map(|user| &user.0);
    /// }
    /// ```
    #[must_use]
    pub fn with_route<A: Any + Send + Sync>(
        mut self,
        route: impl Fn(&Request, &Remote) -> Result<A, Refusal> + Send + Sync + 'static,
    ) -> Self {
        let route = move |request: &Request, remote: &Remote| route(request, remote).map(attach);
        self.rules.route = Some(Route::Now(Box::new(route)));
        self
    }

    /// As [`with_route`](Self::with_route), for a decision that has to wait: for a database, for
    /// another service. One that is not made within half of [`AcceptOptions::handshake_timeout`] is
    /// a refusal with 503. The last route that was set counts.
    ///
    /// ```
    /// # use ws_endpoint::{Net, Server};
    /// # use ws_io::Refusal;
    /// # async fn is_known(token: &str) -> bool { !token.is_empty() }
    /// # fn route<N: Net>(server: Server<N>) -> Server<N> {
    /// server.with_async_route(|request, _remote| {
    ///     Box::pin(async move {
    ///         match request.query().and_then(|query| query.strip_prefix("token=")) {
    ///             Some(token) if is_known(token).await => Ok(()),
    ///             _ => Err(Refusal::fixed(401, &[("WWW-Authenticate", "Bearer")])),
    ///         }
    ///     })
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn with_async_route<A: Any + Send + Sync>(
        mut self,
        route: impl for<'a> Fn(&'a Request, &'a Remote) -> Deciding<'a, A> + Send + Sync + 'static,
    ) -> Self {
        self.rules.route = Some(Route::Later(Box::new(move |request, remote| {
            let deciding = route(request, remote);
            Box::pin(async { deciding.await.map(attach) })
        })));
        self
    }
}

/// What a route returned; `None` if that was `()`.
type Attachment = Option<Arc<dyn Any + Send + Sync>>;

type Decide = dyn Fn(&Request, &Remote) -> Result<Attachment, Refusal> + Send + Sync;
type DecideLater =
    dyn for<'a> Fn(&'a Request, &'a Remote) -> Deciding<'a, Attachment> + Send + Sync;

pub(crate) enum Route {
    Now(Box<Decide>),
    Later(Box<DecideLater>),
}

impl Route {
    /// What was decided; 503 when that took so long that there would be no time to say so.
    pub(crate) async fn decide<R: Runtime>(
        &self,
        runtime: &R,
        options: &AcceptOptions,
        request: &Request,
        remote: &Remote,
    ) -> Result<Attachment, Refusal> {
        match self {
            Self::Now(decide) => decide(request, remote),
            Self::Later(decide) => {
                let deadline = after(runtime, options.handshake_timeout / 2);
                let decided = until(runtime, deadline, decide(request, remote)).await;
                decided.unwrap_or_else(|| Err(Refusal::fixed(503, &[])))
            }
        }
    }
}

/// Most routes have nothing to hand on, and no memory is taken for it.
fn attach<A: Any + Send + Sync>(value: A) -> Attachment {
    let is_nothing = (&value as &dyn Any).is::<()>();
    (!is_nothing).then(|| Arc::new(value) as _)
}
