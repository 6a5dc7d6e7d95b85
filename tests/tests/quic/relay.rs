//! A UDP relay between one client and a server, as bad a path as a test wants.
//!
//! What happens to a datagram is decided by a seed and its place in the order of arrival. The relay
//! reads no packet: QUIC has to notice by itself what was lost, doubled or overtaken.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// The relay; it stops when it is dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    pub(crate) counts: Arc<Counts>,
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
}

/// What the relay did to datagrams, in both directions together.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: AtomicUsize,
    pub(crate) lost: AtomicUsize,
    pub(crate) doubled: AtomicUsize,
    pub(crate) overtaken: AtomicUsize,
}

/// Of a hundred datagrams so many are lost, as many doubled, as many overtaken by later ones.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) percent: u64,
    pub(crate) seed: u64,
}

enum Order {
    /// The server sees the client at another address from now on, which is told.
    MoveClient(oneshot::Sender<()>),
    /// Another server is where the one was, which nothing reaches any more and from which nothing comes.
    ReplaceServer(SocketAddr, oneshot::Sender<()>),
    /// Nothing passes any more.
    Cut,
}

impl Relay {
    /// Relays to `server` whoever comes; one client at a time.
    pub(crate) async fn start(server: SocketAddr, weather: Weather) -> Self {
        let front = bind().await;
        let address = front.local_addr().expect("bound");
        let (orders, received) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::default());
        let path = Path {
            front,
            back: bind().await,
            server,
            client: None,
            weather,
            chance: Chance(weather.seed),
            late: BinaryHeap::new(),
            is_cut: false,
            counts: Arc::clone(&counts),
        };
        Self { address, counts, orders, task: tokio::spawn(path.run(received)) }
    }

    /// Returns when everything from the client goes the new way.
    pub(crate) async fn move_client(&self) {
        let (moved, done) = oneshot::channel();
        self.orders.send(Order::MoveClient(moved)).expect("the relay runs");
        done.await.expect("the relay runs");
    }

    /// Returns when everything from the client goes to `server`.
    pub(crate) async fn replace_server(&self, server: SocketAddr) {
        let (replaced, done) = oneshot::channel();
        self.orders.send(Order::ReplaceServer(server, replaced)).expect("the relay runs");
        done.await.expect("the relay runs");
    }

    pub(crate) fn cut(&self) {
        self.orders.send(Order::Cut).expect("the relay runs");
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A datagram that waits, by when it goes: the place breaks ties.
type Late = Reverse<(Instant, usize, Way, Vec<u8>)>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    ToServer,
    ToClient,
}

struct Path {
    front: UdpSocket,
    back: UdpSocket,
    server: SocketAddr,
    client: Option<SocketAddr>,
    weather: Weather,
    chance: Chance,
    late: BinaryHeap<Late>,
    is_cut: bool,
    counts: Arc<Counts>,
}

impl Path {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            let next = self.late.peek().map(|Reverse((at, ..))| *at);
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::MoveClient(moved)) => {
                        self.back = bind().await;
                        // Whoever asked may have gone.
                        let _ = moved.send(());
                    }
                    Some(Order::ReplaceServer(server, replaced)) => {
                        (self.back, self.server) = (bind().await, server);
                        // Whoever asked may have gone.
                        let _ = replaced.send(());
                    }
                    Some(Order::Cut) => self.is_cut = true,
                    None => return,
                },
                // An ICMP error of an earlier datagram is no end of the path.
                Ok((len, from)) = self.front.recv_from(&mut up) => {
                    self.client = Some(from);
                    self.judge(Way::ToServer, &up[..len]).await;
                }
                Ok((len, _)) = self.back.recv_from(&mut down) => {
                    self.judge(Way::ToClient, &down[..len]).await;
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    if let Some(Reverse((_, _, way, datagram))) = self.late.pop() {
                        self.pass(way, &datagram).await;
                    }
                }
            }
        }
    }

    async fn judge(&mut self, way: Way, datagram: &[u8]) {
        if self.is_cut {
            return;
        }
        if self.chance.of(self.weather.percent) {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if self.chance.of(self.weather.percent) {
            self.counts.doubled.fetch_add(1, Ordering::Relaxed);
            self.delay(way, datagram);
        }
        if self.chance.of(self.weather.percent) {
            self.counts.overtaken.fetch_add(1, Ordering::Relaxed);
            self.delay(way, datagram);
        } else {
            self.pass(way, datagram).await;
        }
    }

    fn delay(&mut self, way: Way, datagram: &[u8]) {
        let at = Instant::now() + Duration::from_millis(1 + self.chance.below(15));
        self.late.push(Reverse((at, self.late.len(), way, datagram.to_vec())));
    }

    async fn pass(&self, way: Way, datagram: &[u8]) {
        self.counts.passed.fetch_add(1, Ordering::Relaxed);
        // A full socket loses datagrams, as networks do.
        let _ = match (way, self.client) {
            (Way::ToServer, _) => self.back.send_to(datagram, self.server).await,
            (Way::ToClient, Some(client)) => self.front.send_to(datagram, client).await,
            (Way::ToClient, None) => return,
        };
    }
}

/// A sequence of numbers that a seed decides (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

async fn bind() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port")
}
