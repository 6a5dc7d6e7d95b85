//! Datagrams in memory, and what quinn needs of a runtime besides.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncTimer, AsyncUdpSocket, UdpPoller};
use ws_endpoint::{Runtime as _, Timer as _};

use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::SimTimer;

/// What is between the sockets.
#[derive(Debug)]
pub(crate) struct Air {
    mishap: Mishap,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Datagrams that the unlucky side has sent and received.
    calls: usize,
    /// By port.
    queues: HashMap<u16, Queue>,
    /// How many datagrams the sockets take at once, as those of a system with segmentation offload.
    segments: Option<usize>,
    /// How often they were given more than one.
    segmented: usize,
    /// Where datagrams to a port go instead.
    moved: HashMap<u16, u16>,
}

#[derive(Debug, Default)]
struct Queue {
    arrived: VecDeque<(SocketAddr, Vec<u8>)>,
    waker: Option<Waker>,
}

/// What becomes of a datagram.
enum Fate {
    Whole,
    /// All of it but this much is lost.
    Cut(usize),
    Lost,
    Held,
    Failed,
}

impl Air {
    pub(crate) fn new(mishap: Mishap) -> Arc<Self> {
        Arc::new(Self { mishap, state: Mutex::default() })
    }

    pub(crate) fn calls(&self) -> usize {
        self.state.lock().unwrap().calls
    }

    /// Has the socket at `new` stand where that at `old` was, which nobody hears any more.
    pub(crate) fn replace(&self, old: u16, new: u16) {
        self.state.lock().unwrap().moved.insert(old, new);
    }

    /// Has the socket at this port be heard again.
    pub(crate) fn restore(&self, port: u16) {
        self.state.lock().unwrap().moved.remove(&port);
    }

    /// Has the sockets take so many datagrams at once.
    pub(crate) fn take_segments(&self, number: usize) {
        self.state.lock().unwrap().segments = Some(number);
    }

    pub(crate) fn segmented(&self) -> usize {
        self.state.lock().unwrap().segmented
    }

    /// What becomes of the datagram that this side now sends, receives or waits for.
    fn fate(&self, side: Side, state: &mut State, moves: bool) -> Fate {
        if side != self.mishap.side {
            return Fate::Whole;
        }
        let call = state.calls;
        let stops = matches!(self.mishap.fault, Fault::Error | Fault::Pending);
        state.calls += usize::from(moves || stops && call == self.mishap.number);
        match self.mishap.fault {
            _ if call < self.mishap.number => Fate::Whole,
            // Once is enough: quinn gives the socket up.
            Fault::Error if call == self.mishap.number => Fate::Failed,
            Fault::Error => Fate::Whole,
            Fault::Pending => Fate::Held,
            // Nothing is an end to datagrams but that no more come or arrive.
            Fault::End => Fate::Lost,
            Fault::OneByte if call == self.mishap.number => Fate::Cut(1),
            Fault::OneByte => Fate::Whole,
        }
    }
}

/// The runtime as quinn sees it.
#[derive(Debug)]
pub(crate) struct Quic {
    net: Memory,
    side: Side,
    air: Arc<Air>,
}

impl Quic {
    pub(crate) fn new(net: Memory, side: Side, air: &Arc<Air>) -> Arc<Self> {
        Arc::new(Self { net, side, air: Arc::clone(air) })
    }
}

impl quinn::Runtime for Quic {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(QuicTimer(self.net.timer(at)))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.net.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let port = socket.local_addr()?.port();
        self.air.state.lock().unwrap().queues.insert(port, Queue::default());
        // The socket keeps the port, so that nobody else has it.
        Ok(Arc::new(Socket { _keeps: socket, port, side: self.side, air: Arc::clone(&self.air) }))
    }

    fn now(&self) -> Instant {
        self.net.now()
    }
}

struct QuicTimer(SimTimer);

impl AsyncTimer for QuicTimer {
    fn reset(self: Pin<&mut Self>, at: Instant) {
        self.get_mut().0.reset(at);
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().0.poll_expired(cx)
    }
}

impl fmt::Debug for QuicTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuicTimer")
    }
}

#[derive(Debug)]
struct Socket {
    _keeps: UdpSocket,
    port: u16,
    side: Side,
    air: Arc<Air>,
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller(self))
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let state = &mut *self.air.state.lock().unwrap();
        let length = match self.air.fate(self.side, state, true) {
            Fate::Whole => transmit.contents.len(),
            Fate::Cut(length) => length,
            Fate::Lost => return Ok(()),
            Fate::Held => return Err(io::ErrorKind::WouldBlock.into()),
            Fate::Failed => return Err(io::ErrorKind::PermissionDenied.into()),
        };
        if state.moved.contains_key(&self.port) {
            return Ok(());
        }
        let to = transmit.destination.port();
        let to = state.moved.get(&to).copied().unwrap_or(to);
        let from = state.moved.iter().find(|(_, new)| **new == self.port);
        let from = address(from.map_or(self.port, |(old, _)| *old));
        // One that nobody receives is lost, as it is everywhere.
        if let Some(queue) = state.queues.get_mut(&to) {
            let size = transmit.segment_size.unwrap_or(length).max(1);
            state.segmented += usize::from(size < length);
            for datagram in transmit.contents[..length].chunks(size) {
                queue.arrived.push_back((from, datagram.to_vec()));
            }
            queue.waker.take().into_iter().for_each(Waker::wake);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let state = &mut *self.air.state.lock().unwrap();
        loop {
            let waits = state.queues.get(&self.port).is_some_and(|queue| !queue.arrived.is_empty());
            let fate = self.air.fate(self.side, state, waits);
            let queue = state.queues.entry(self.port).or_default();
            let most = match fate {
                Fate::Whole => usize::MAX,
                Fate::Cut(length) => length,
                Fate::Lost => 0,
                Fate::Held => return Poll::Pending,
                Fate::Failed => return Poll::Ready(Err(io::ErrorKind::PermissionDenied.into())),
            };
            let Some((from, datagram)) = queue.arrived.pop_front() else {
                queue.waker = Some(cx.waker().clone());
                return Poll::Pending;
            };
            if most == 0 {
                continue;
            }
            let datagram = &datagram[..datagram.len().min(most)];
            bufs[0][..datagram.len()].copy_from_slice(datagram);
            let len = datagram.len();
            meta[0] = RecvMeta { addr: from, len, stride: len, ecn: None, dst_ip: None };
            return Poll::Ready(Ok(1));
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(address(self.port))
    }

    fn max_transmit_segments(&self) -> usize {
        self.air.state.lock().unwrap().segments.unwrap_or(1)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

/// Everybody is on this machine.
fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[derive(Debug)]
struct Poller(Arc<Socket>);

impl UdpPoller for Poller {
    fn poll_writable(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.0.air.state.lock().unwrap();
        match self.0.air.fate(self.0.side, state, false) {
            Fate::Held => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }
}
