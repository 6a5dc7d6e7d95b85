//! The three runtimes, as the matrix needs them.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ws_stack::async_std::AsyncStd;
use ws_stack::endpoint::{Net, Timer as _};
use ws_stack::smol::Smol;
use ws_stack::tokio::Tokio;

/// A runtime under test.
pub(crate) trait Platform: Net + Default {
    const NAME: &'static str;

    /// Runs a future to its end on the calling thread, with the runtime around it.
    fn block_on<F: Future>(future: F) -> F::Output;
}

impl Platform for Tokio {
    const NAME: &'static str = "tokio";

    fn block_on<F: Future>(future: F) -> F::Output {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().build().expect("a runtime").block_on(future)
    }
}

impl Platform for AsyncStd {
    const NAME: &'static str = "async-std";

    fn block_on<F: Future>(future: F) -> F::Output {
        async_std::task::block_on(future)
    }
}

impl Platform for Smol {
    const NAME: &'static str = "smol";

    fn block_on<F: Future>(future: F) -> F::Output {
        smol::block_on(future)
    }
}

/// Runs `future` for at most `limit` by the clock of the runtime.
pub(crate) async fn within<N: Net, F: Future>(
    net: &N,
    limit: Duration,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let timer = timer.get_or_insert_with(|| net.timer(net.now() + limit));
        timer.poll_expired(cx).map(|()| None)
    })
    .await
}
