//! Who is given a WebSocket: the decision of the application.

use std::future::Future;
use std::pin::Pin;

use ws_io::{AcceptOptions, Refusal, Request, Runtime};

use crate::deadline::{after, until};
use crate::remote::Remote;

/// A decision that takes time; see [`Server::with_async_route`](crate::Server::with_async_route).
pub type Deciding<'a> = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + 'a>>;

type Decide = dyn Fn(&Request, &Remote) -> Result<(), Refusal> + Send + Sync;
type DecideLater = dyn for<'a> Fn(&'a Request, &'a Remote) -> Deciding<'a> + Send + Sync;

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
    ) -> Result<(), Refusal> {
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
