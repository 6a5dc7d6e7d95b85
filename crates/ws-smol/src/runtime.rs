//! The clock, timers, tasks and names of smol.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use ws_endpoint::reactor::{Reactor, Timer};

/// The smol runtime, for everything generic over a runtime.
///
/// Works anywhere: smol starts the threads it needs by itself.
///
/// ```
/// use ws_io::Runtime;
///
/// let now = ws_smol::Smol.now();
/// assert!(now <= ws_smol::Smol.now());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl ws_io::Runtime for Smol {
    type Timer = Timer;

    #[expect(clippy::disallowed_methods, reason = "a runtime is where the clock is read")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn timer(&self, at: Instant) -> Timer {
        Timer::new(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}

impl Reactor for Smol {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        smol::net::resolve((host, port)).await
    }
}
