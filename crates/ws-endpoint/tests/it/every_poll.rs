//! A client and a server of this crate, of which one gives up at the n-th poll, for n from the first on
//! until there are no more of them: a wait that begins anew, a task that is dropped with all it holds, a
//! server that is told to go. Nothing is lost or doubled, neighbours live, the other side is told, and
//! nothing is left: no task, no place, no byte of the budget.

use std::future::poll_fn;
use std::pin::pin;
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
const WAYS: [(HttpPolicy, &str); 6] = [
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
struct Stage {
    way: (HttpPolicy, &'static str),
    sim: Sim,
    near: Memory,
    url: String,
    client: Client<Memory>,
    told: Arc<Told>,
    budget: SharedBudget,
    shutdown: Shutdown,
    served: Collected<ws_endpoint::Drained>,
}

/// Who gives up on the server, and after how many polls of its task.
#[derive(Clone, Copy, Default)]
struct Patience {
    /// Of each wait.
    waits: Option<usize>,
    /// Of the first task.
    task: Option<usize>,
    /// Of the first task, to hand the WebSocket to another.
    moves: Option<usize>,
}

impl Stage {
    fn new(sim: &Sim, way: (HttpPolicy, &'static str), patience: Patience) -> Self {
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

    async fn open(&self) -> Result<WebSocket<Memory>, Error> {
        self.client.connect(&self.url, &ConnectOptions::default()).await
    }

    /// Everything is over and everybody has gone: what is left?
    async fn check(self, at: &str) {
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
async fn feed(
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

async fn flush(websocket: &mut WebSocket<Memory>, polls: usize) -> Result<(), Error> {
    loop {
        match give_up_after(polls, websocket.flush()).await {
            Some(flushed) => return flushed,
            None => yield_now().await,
        }
    }
}

/// The next data message, from pieces if so wanted.
async fn receive(websocket: &mut WebSocket<Memory>, in_pieces: bool, polls: usize) -> Vec<u8> {
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
async fn talk(websocket: &mut WebSocket<Memory>) {
    for size in [10, 3000] {
        websocket.send(Message::binary(vec![7; size])).await.unwrap();
        assert_eq!(receive(websocket, false, usize::MAX).await, vec![7; size]);
    }
    assert!(websocket.close(CloseCode::NORMAL, "").await.unwrap().clean);
}

#[test]
fn a_wait_may_be_given_up_after_any_number_of_polls() {
    for way in WAYS {
        for polls in [1, 2, 3, 5, 8] {
            let sim = Sim::new();
            sim.block_on(async {
                let waits = Some(polls);
                let stage = Stage::new(&sim, way, Patience { waits, ..Patience::default() });
                let mut websocket = stage.open().await.unwrap();
                let sizes = [0, 1, 200, 3000, 20_000, 300_000];
                for in_pieces in [false, true] {
                    for (number, size) in (0_u8..).zip(sizes) {
                        let mut payload = vec![number; size];
                        payload.push(number);
                        feed(&mut websocket, Message::binary(payload), polls).await.unwrap();
                        if number == 3 {
                            flush(&mut websocket, polls).await.unwrap();
                        }
                    }
                    for (number, size) in (0_u8..).zip(sizes) {
                        let echo = receive(&mut websocket, in_pieces, polls).await;
                        assert_eq!(echo, vec![number; size + 1], "{way:?} {polls}");
                    }
                }
                loop {
                    let closing = websocket.close(CloseCode::NORMAL, "");
                    match give_up_after(polls, closing).await {
                        Some(outcome) => {
                            assert!(outcome.unwrap().clean, "{way:?} {polls}");
                            break;
                        }
                        None => yield_now().await,
                    }
                }
                drop(websocket);
                stage.check(&format!("{polls} polls")).await;
            });
        }
    }
}

#[test]
fn a_connect_may_be_given_up_at_any_poll() {
    for way in WAYS {
        for has_neighbour in [false, true] {
            for polls in 0.. {
                let sim = Sim::new();
                let is_open = sim.block_on(async {
                    let stage = Stage::new(&sim, way, Patience::default());
                    let neighbour =
                        if has_neighbour { Some(stage.open().await.unwrap()) } else { None };
                    let opened = give_up_after(polls, stage.open()).await;
                    let is_open = opened.is_some();
                    if let Some(opened) = opened {
                        talk(&mut opened.unwrap()).await;
                    }
                    talk(&mut stage.open().await.unwrap()).await;
                    if let Some(mut neighbour) = neighbour {
                        talk(&mut neighbour).await;
                    }
                    assert!(stage.near.dials() <= 3, "{way:?} {polls}");
                    stage.check(&format!("connect given up after {polls}")).await;
                    is_open
                });
                if is_open {
                    assert!(polls > 1, "{way:?}: it waits");
                    break;
                }
            }
        }
    }
}

/// Polls `future` so often here, and then leaves it to a task of its own: what comes of it there, or here.
async fn hand_over_after<F>(
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

#[test]
fn a_wait_may_move_to_another_task_at_any_poll() {
    for way in WAYS {
        for polls in 0.. {
            let sim = Sim::new();
            let is_over = sim.block_on(async {
                let moves = Some(polls);
                let stage = Stage::new(&sim, way, Patience { moves, ..Patience::default() });
                let visiting = visit(stage.client.clone(), stage.url.clone());
                let is_over = match hand_over_after(polls, &sim, visiting).await {
                    Ok(()) => true,
                    Err(elsewhere) => {
                        while elsewhere.is_empty() {
                            sim.sleep(Duration::from_millis(10)).await;
                            let took = sim.elapsed();
                            assert!(took < Duration::from_secs(9), "{way:?} {polls}: {took:?}");
                        }
                        false
                    }
                };
                stage.check(&format!("moved after {polls}")).await;
                is_over
            });
            if is_over {
                assert!(polls > 5, "{way:?}: it waits");
                break;
            }
        }
    }
}

/// Counts how often it is polled, and runs to its end.
async fn counted<F: Future>(polls: &AtomicUsize, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

/// What a client does in a task of its own.
async fn visit(client: Client<Memory>, url: String) {
    let mut websocket = client.connect(&url, &ConnectOptions::default()).await.unwrap();
    for size in [10, 3000, 50_000] {
        websocket.feed(Message::binary(vec![7; size])).await.unwrap();
    }
    for size in [10, 3000, 50_000] {
        assert_eq!(receive(&mut websocket, false, usize::MAX).await, vec![7; size]);
    }
    let _closed = websocket.close(CloseCode::NORMAL, "").await;
}

#[test]
fn a_client_may_be_dropped_at_any_poll() {
    for way in WAYS {
        for polls in 0.. {
            let sim = Sim::new();
            let is_over = sim.block_on(async {
                let stage = Stage::new(&sim, way, Patience::default());
                let mut neighbour = stage.open().await.unwrap();
                let is_over = give_up_after(polls, visit(stage.client.clone(), stage.url.clone()))
                    .await
                    .is_some();
                talk(&mut neighbour).await;
                drop(neighbour);
                talk(&mut stage.open().await.unwrap()).await;
                stage.check(&format!("client dropped after {polls}")).await;
                is_over
            });
            if is_over {
                assert!(polls > 5, "{way:?}: it waits");
                break;
            }
        }
    }
}

#[test]
fn a_task_of_the_server_may_end_at_any_poll() {
    for way in WAYS {
        for polls in 0.. {
            let sim = Sim::new();
            let is_over = sim.block_on(async {
                let task = Some(polls);
                let stage = Stage::new(&sim, way, Patience { task, ..Patience::default() });
                let mut websocket = stage.open().await.unwrap();
                let mut neighbour = stage.open().await.unwrap();
                for size in [10, 3000, 50_000] {
                    // It may be gone by now, which `next` tells.
                    let _fed = websocket.feed(Message::binary(vec![7; size])).await;
                }
                let (mut echoes, mut errors) = (0, Vec::new());
                while echoes < 3
                    && let Some(message) = websocket.next().await
                {
                    match message {
                        Ok(message) if message.data_kind().is_some() => echoes += 1,
                        Ok(_) => {}
                        Err(error) => errors.push(error.reason()),
                    }
                }
                let outcome = websocket.close(CloseCode::NORMAL, "").await.unwrap();
                let is_over = outcome.clean;
                if !is_over {
                    // The last is of who has said goodbye to a server that was gone by then.
                    let cause = outcome.cause.reason();
                    let is_known = ["closed", "transport_error", "normal"].contains(&cause);
                    assert!(is_known, "{way:?} {polls}: {cause}");
                    assert_eq!(outcome.code, CloseCode::ABNORMAL, "{way:?} {polls}");
                    assert!(errors.len() <= 1, "{way:?} {polls}: {errors:?}");
                }
                talk(&mut neighbour).await;
                drop((websocket, neighbour));
                talk(&mut stage.open().await.unwrap()).await;
                stage.check(&format!("server's task dropped after {polls}")).await;
                is_over
            });
            if is_over {
                assert!(polls > 2, "{way:?}: it waits");
                break;
            }
        }
    }
}

#[test]
fn a_server_may_be_told_to_go_at_any_poll_of_its_client() {
    for way in WAYS {
        let sim = Sim::new();
        let polls = AtomicUsize::new(0);
        sim.block_on(async {
            let stage = Stage::new(&sim, way, Patience::default());
            let _neighbour = stage.open().await.unwrap();
            counted(&polls, visit(stage.client.clone(), stage.url.clone())).await;
        });
        for polls in 0..polls.into_inner() {
            let sim = Sim::new();
            sim.block_on(async {
                let stage = Stage::new(&sim, way, Patience::default());
                let mut neighbour = stage.open().await.unwrap();
                {
                    let mut leaving = pin!(leave(&stage));
                    let mut polled = 0;
                    poll_fn(|cx| {
                        if polled == polls {
                            stage.shutdown.drain(Duration::from_secs(10));
                        }
                        polled += 1;
                        leaving.as_mut().poll(cx)
                    })
                    .await;
                }
                let mut goodbye = None;
                while let Some(message) = neighbour.next().await {
                    if let Ok(Message::Close(frame)) = message {
                        goodbye = frame;
                    }
                }
                let code = goodbye.map(|frame| frame.code);
                assert_eq!(code, Some(CloseCode::GOING_AWAY), "{way:?} {polls}");
                assert!(neighbour.outcome().unwrap().clean, "{way:?} {polls}");
                drop(neighbour);
                assert!(sim.elapsed() < Duration::from_secs(20), "{way:?} {polls}");
                stage.check(&format!("drained at {polls}")).await;
            });
        }
    }
}

/// As `visit`, of a server that may go away: what is not told by it is an error.
async fn leave(stage: &Stage) {
    let Ok(mut websocket) = stage.open().await else { return };
    for size in [10, 3000, 50_000] {
        let _fed = websocket.feed(Message::binary(vec![7; size])).await;
    }
    let mut echoes = 0;
    while echoes < 3
        && let Some(message) = websocket.next().await
    {
        echoes += usize::from(message.unwrap().data_kind().is_some());
    }
    let outcome = websocket.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(outcome.clean, "{:?} {outcome:?}", stage.way);
}
