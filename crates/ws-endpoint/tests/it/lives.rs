//! A client and a server on a network in memory, for tests that have one of them give up: what is to be
//! nothing when all is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ws_endpoint::{
    Client, CloseCode, ConnectOptions, Error, H2Options, HttpPolicy, Message, Outcome, Server,
    SharedBudget, Shutdown, WebSocket,
};
use ws_io::Chunk;

use crate::certificates::{Certificates, certificates};
use crate::hostile::Fault;
use crate::net::{Memory, Mishap, Side};
use crate::sim::{Collected, Sim, give_up_after, yield_now};

const NO_MISHAP: Mishap = Mishap { side: Side::Client, fault: Fault::Error, number: usize::MAX };

/// How they speak.
pub(crate) const WAYS: [(HttpPolicy, &str); 6] = [
    (HttpPolicy::H1, "ws"),
    (HttpPolicy::H1, "wss"),
    (HttpPolicy::H2, "ws"),
    (HttpPolicy::H2, "wss"),
    (HttpPolicy::Best, "wss"),
    (HttpPolicy::H3, "wss"),
];

/// What the tasks of a server were told, all together.
#[derive(Debug, Default)]
struct Told {
    opened: AtomicUsize,
    ended: AtomicUsize,
}

/// One end of an open WebSocket on the server, counted.
struct Served {
    told: Arc<Told>,
    websocket: WebSocket<Memory>,
}

impl Served {
    fn new(told: &Arc<Told>, websocket: WebSocket<Memory>) -> Self {
        told.opened.fetch_add(1, Ordering::Relaxed);
        Self { told: Arc::clone(told), websocket }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.told.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// A server, a client, and what is to be nothing when all is over.
pub(crate) struct Stage {
    pub(crate) way: (HttpPolicy, &'static str),
    sim: Sim,
    pub(crate) near: Memory,
    pub(crate) url: String,
    pub(crate) client: Client<Memory>,
    told: Arc<Told>,
    budget: SharedBudget,
    pub(crate) shutdown: Shutdown,
    served: Collected<ws_endpoint::Drained>,
}

/// Who gives up on the server, and after how many polls of its task.
#[derive(Clone, Copy, Default)]
pub(crate) struct Patience {
    /// Of each wait.
    pub(crate) waits: Option<usize>,
    /// Of the first task.
    pub(crate) task: Option<usize>,
    /// Of the first task, to hand the WebSocket to another.
    pub(crate) moves: Option<usize>,
}

impl Stage {
    pub(crate) fn new(sim: &Sim, way: (HttpPolicy, &'static str), patience: Patience) -> Self {
        let (near, far) = Memory::new(sim, NO_MISHAP);
        let Certificates { server: identity, trust, .. } = certificates();
        let server = Server::new(far);
        let anywhere = ([127, 0, 0, 1], 0).into();
        let server = match way {
            (HttpPolicy::H3, _) => server.listen_h3(anywhere, Arc::clone(identity)),
            (_, "wss") => server.listen_tls(anywhere, Arc::clone(identity)),
            _ => server.listen(anywhere),
        };
        let server = server.expect("a free port").with_memory_budget(64 << 20);
        let budget = server.memory_budget().expect("it was just given");
        let url = server.urls().next().expect("it listens").replace("127.0.0.1", "localhost");
        let shutdown = server.shutdown_handle();
        let told = Arc::new(Told::default());
        let (serving, number) = (Arc::clone(&told), AtomicUsize::new(0));
        let clock = sim.clone();
        let served = sim.spawn_collect(server.serve(move |websocket| {
            let first = number.fetch_add(1, Ordering::Relaxed) == 0;
            let polls = patience.task.filter(|_| first).unwrap_or(usize::MAX);
            let moves = patience.moves.filter(|_| first);
            let served = Served::new(&serving, websocket);
            let clock = clock.clone();
            async move {
                let echoing = echo(served, patience.waits);
                match moves {
                    None => drop(give_up_after(polls, echoing).await),
                    // Its place goes along, and the server knows where it is.
                    Some(moves) => drop(hand_over_after(moves, &clock, echoing).await),
                }
            }
        }));
        let client = Client::new(near.clone()).with_tls(Arc::clone(trust)).with_http(way.0);
        let mut bounds = H2Options::default();
        bounds.max_streams = 100;
        let client = client.with_h2(bounds);
        Self { way, sim: sim.clone(), near, url, client, told, budget, shutdown, served }
    }

    pub(crate) async fn open(&self) -> Result<WebSocket<Memory>, Error> {
        self.client.connect(&self.url, &ConnectOptions::default()).await
    }

    /// Everything is over and everybody has gone: what is left?
    pub(crate) async fn check(self, at: &str) {
        let Self { way, sim, near, client, told, budget, shutdown, served, .. } = self;
        client.wait_idle().await;
        // What is left has its deadlines.
        sim.sleep(Duration::from_secs(300)).await;
        let counts = [&told.opened, &told.ended].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts[0], counts[1], "{way:?} {at}: WebSockets are left");
        assert_eq!(budget.used(), 0, "{way:?} {at}: memory is charged");
        let connections = format!("{shutdown:?}");
        assert!(connections.contains("connections: 0"), "{way:?} {at}: {connections}");
        shutdown.drain(Duration::from_secs(1));
        assert_eq!(served.output().await.cut, 0, "{way:?} {at}");
        yield_now().await;
        assert_eq!(near.tasks(), 0, "{way:?} {at}: tasks are left");
    }
}

/// Sends each message back, and gives each wait up after so many polls, to begin it again.
async fn echo(mut served: Served, waits: Option<usize>) -> Outcome {
    let websocket = &mut served.websocket;
    let polls = waits.unwrap_or(usize::MAX);
    loop {
        let message = loop {
            match give_up_after(polls, websocket.next()).await {
                Some(message) => break message,
                None => yield_now().await,
            }
        };
        let Some(message) = message else { break };
        let Ok(message) = message else { continue };
        if message.data_kind().is_some() {
            // Refused once a goodbye is under way.
            let _fed = feed(websocket, message, polls).await;
        }
    }
    websocket.outcome().expect("it has ended").clone()
}

/// Queues it, however often that is given up: until it is ready it has queued nothing.
pub(crate) async fn feed(
    websocket: &mut WebSocket<Memory>,
    message: Message,
    polls: usize,
) -> Result<(), Error> {
    loop {
        match give_up_after(polls, websocket.feed(message.clone())).await {
            Some(fed) => return fed,
            None => yield_now().await,
        }
    }
}

pub(crate) async fn flush(websocket: &mut WebSocket<Memory>, polls: usize) -> Result<(), Error> {
    loop {
        match give_up_after(polls, websocket.flush()).await {
            Some(flushed) => return flushed,
            None => yield_now().await,
        }
    }
}

/// The next data message, from pieces if so wanted.
pub(crate) async fn receive(
    websocket: &mut WebSocket<Memory>,
    in_pieces: bool,
    polls: usize,
) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        if in_pieces {
            match give_up_after(polls, websocket.next_chunk()).await {
                Some(Some(Ok(Chunk::Data { data, last, .. }))) => {
                    whole.extend_from_slice(&data);
                    if last {
                        return whole;
                    }
                }
                Some(Some(Ok(Chunk::Control(_)))) => {}
                Some(end) => panic!("{end:?}"),
                None => yield_now().await,
            }
        } else {
            match give_up_after(polls, websocket.next()).await {
                Some(Some(Ok(message))) if message.data_kind().is_some() => {
                    return message.payload().to_vec();
                }
                Some(Some(Ok(_))) => {}
                Some(end) => panic!("{end:?}"),
                None => yield_now().await,
            }
        }
    }
}

/// Two echoes and the goodbye.
pub(crate) async fn talk(websocket: &mut WebSocket<Memory>) {
    for size in [10, 3000] {
        websocket.send(Message::binary(vec![7; size])).await.unwrap();
        assert_eq!(receive(websocket, false, usize::MAX).await, vec![7; size]);
    }
    assert!(websocket.close(CloseCode::NORMAL, "").await.unwrap().clean);
}

/// Polls `future` so often here, and then leaves it to a task of its own: what comes of it there, or here.
pub(crate) async fn hand_over_after<F>(
    polls: usize,
    sim: &Sim,
    future: F,
) -> Result<F::Output, Collected<F::Output>>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let mut future = Box::pin(future);
    match give_up_after(polls, future.as_mut()).await {
        Some(output) => Ok(output),
        None => Err(sim.spawn_collect(future)),
    }
}
