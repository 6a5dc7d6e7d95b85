//! A network in memory on a simulated runtime, where a fault befalls the sockets of one side.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
#[cfg(unix)]
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use ws_endpoint::{Listener, Net, Runtime};
use ws_io::duplex;

use crate::hostile::{Counts, Fault, Hostile, Plan};
use crate::sim::{Sim, SimTimer};
use crate::udp::{Air, Quic};

/// Whose sockets they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What goes wrong, and for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mishap {
    pub(crate) side: Side,
    pub(crate) fault: Fault,
    pub(crate) number: usize,
}

/// The network as one side sees it.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    pub(crate) sim: Sim,
    side: Side,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    mishap: Mishap,
    /// By port.
    queues: Mutex<HashMap<u16, Queue>>,
    air: Arc<Air>,
    /// What was asked of the connection that the mishap befalls, the first.
    counts: Mutex<Option<Arc<Mutex<Counts>>>>,
    /// As many as there are tasks, and one.
    running: Arc<()>,
    dials: AtomicUsize,
}

#[derive(Debug, Default)]
struct Queue {
    arrived: VecDeque<Hostile>,
    waker: Option<Waker>,
}

impl Memory {
    /// Both sides of a network.
    pub(crate) fn new(sim: &Sim, mishap: Mishap) -> (Self, Self) {
        let shared = Shared {
            mishap,
            queues: Mutex::default(),
            air: Air::new(mishap),
            counts: Mutex::default(),
            running: Arc::default(),
            dials: AtomicUsize::new(0),
        };
        let shared = Arc::new(shared);
        let side = |side| Self { sim: sim.clone(), side, shared: Arc::clone(&shared) };
        (side(Side::Client), side(Side::Server))
    }

    /// How many tasks there are.
    pub(crate) fn tasks(&self) -> usize {
        Arc::strong_count(&self.shared.running) - 1
    }

    /// How many connections over TCP were opened.
    pub(crate) fn dials(&self) -> usize {
        self.shared.dials.load(Ordering::Relaxed)
    }

    /// What is between the UDP sockets.
    pub(crate) fn air(&self) -> &Air {
        &self.shared.air
    }

    /// How often the sockets with the fault were called.
    pub(crate) fn calls(&self) -> usize {
        let counts = self.shared.counts.lock().unwrap();
        let calls = counts.as_ref().map_or(0, |counts| counts.lock().unwrap().calls);
        calls + self.shared.air.calls()
    }

    /// The transport of this side of a new connection.
    fn end(&self, side: Side, inner: ws_io::Duplex) -> Hostile {
        let Mishap { side: unlucky, fault, number } = self.shared.mishap;
        let mut counts = self.shared.counts.lock().unwrap();
        if side != unlucky || counts.is_some() {
            return Hostile::new(inner, Plan::default());
        }
        let end = Hostile::new(inner, Plan::at(fault, number));
        *counts = Some(end.counts());
        end
    }
}

impl Runtime for Memory {
    type Timer = SimTimer;

    fn now(&self) -> Instant {
        self.sim.now()
    }

    fn timer(&self, at: Instant) -> SimTimer {
        self.sim.timer(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let running = Arc::clone(&self.shared.running);
        self.sim.spawn(async move {
            task.await;
            drop(running);
        });
    }
}

impl Net for Memory {
    type Tcp = Hostile;
    type TcpListener = MemoryListener;
    #[cfg(unix)]
    type Unix = Hostile;
    #[cfg(unix)]
    type UnixListener = MemoryListener;

    async fn resolve(&self, _host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))])
    }

    async fn connect_tcp(&self, address: SocketAddr) -> io::Result<Hostile> {
        let (ours, theirs) = duplex(700);
        let mut queues = self.shared.queues.lock().unwrap();
        let queue = queues.get_mut(&address.port()).ok_or(io::ErrorKind::ConnectionRefused)?;
        self.shared.dials.fetch_add(1, Ordering::Relaxed);
        queue.arrived.push_back(self.end(Side::Server, theirs));
        queue.waker.take().into_iter().for_each(Waker::wake);
        Ok(self.end(Side::Client, ours))
    }

    fn listen_tcp(&self, socket: std::net::TcpListener) -> io::Result<MemoryListener> {
        let port = socket.local_addr()?.port();
        self.shared.queues.lock().unwrap().insert(port, Queue::default());
        Ok(MemoryListener { port, shared: Arc::clone(&self.shared) })
    }

    fn quic_runtime(&self) -> io::Result<Arc<dyn quinn::Runtime>> {
        Ok(Quic::new(self.clone(), self.side, &self.shared.air))
    }

    #[cfg(unix)]
    async fn connect_unix(&self, _path: &Path) -> io::Result<Hostile> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(unix)]
    fn listen_unix(&self, _socket: std::os::unix::net::UnixListener) -> io::Result<MemoryListener> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(crate) struct MemoryListener {
    port: u16,
    shared: Arc<Shared>,
}

impl Listener for MemoryListener {
    type Connection = Hostile;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Hostile>> {
        let mut queues = self.shared.queues.lock().unwrap();
        let queue = queues.entry(self.port).or_default();
        match queue.arrived.pop_front() {
            Some(connection) => Poll::Ready(Ok(connection)),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.shared.queues.lock().unwrap().remove(&self.port);
    }
}
