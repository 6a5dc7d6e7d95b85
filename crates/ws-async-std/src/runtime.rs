//! The clock, timers, tasks and names of async-std.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use async_std::net::ToSocketAddrs as _;
use ws_endpoint::reactor::{Reactor, Timer};

/// The async-std runtime, for everything generic over a runtime.
///
/// Works anywhere: async-std starts the threads it needs by itself.
///
/// ```
/// use ws_io::Runtime;
///
/// let now = ws_async_std::AsyncStd.now();
/// assert!(now <= ws_async_std::AsyncStd.now());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl ws_io::Runtime for AsyncStd {
    type Timer = Timer;

    #[expect(clippy::disallowed_methods, reason = "a runtime is where the clock is read")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn timer(&self, at: Instant) -> Timer {
        Timer::new(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        async_std::task::spawn(task);
    }
}

impl Reactor for AsyncStd {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs().await?.collect())
    }
}
