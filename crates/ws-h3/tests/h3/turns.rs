//! Peers whose bytes come faster than they are taken: nobody is kept at those of one stream.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ws_h3::{Request, Server};
use ws_io::{Runtime, Transport};

use crate::support::raw::{RawPeer, Section, varint};
use crate::support::{Host, Setup, Tokio, TokioTimer, soon};

/// Bytes of what is to be ignored: more than a turn, in packets.
const LEN: usize = 768 * 1024;

/// A host whose windows take all of that.
fn host() -> Host {
    let mut setup = Setup::default();
    setup.server_quic.stream_window = 2 * LEN as u32;
    Host::new(setup)
}

/// A frame without end, as far as it is sent.
fn endless_frame() -> Vec<u8> {
    let mut frame = [varint(0x21), varint(1 << 40)].concat();
    frame.resize(LEN, 0);
    frame
}

/// Writes `bytes`, and waits until they lie there to be read.
async fn send_all(send: &mut quinn::SendStream, bytes: &[u8], receiver: &quinn::Connection) {
    soon(send.write_all(bytes)).await.unwrap();
    soon(async {
        while receiver.stats().udp_rx.bytes < bytes.len() as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Whether a task was woken.
struct Woken {
    task: Waker,
    is_woken: AtomicBool,
}

impl Woken {
    fn new(task: Waker) -> Arc<Self> {
        Arc::new(Self { task, is_woken: AtomicBool::new(false) })
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.task.wake_by_ref();
    }
}

// RFC: H3-10.5-01
// THREAT: frame-flood
#[tokio::test]
async fn a_frame_to_be_ignored_is_ignored_in_turns() {
    let host = host();
    let (quic, mut server) = soon(async { tokio::join!(host.dial(), host.accept()) }).await;
    let peer = RawPeer::new(quic, &[]).await;
    let (mut send, _recv) = peer.open(&Section::websocket().frame()).await;
    let Some(Request::WebSocket(request)) = soon(server.next()).await else { panic!() };
    let mut stream = soon(request.accept(http::Response::new(()))).await.unwrap();
    send_all(&mut send, &endless_frame(), &stream.connection().clone()).await;
    let mut turns = 0;
    loop {
        let woken = Woken::new(Waker::noop().clone());
        let waker = Waker::from(Arc::clone(&woken));
        let mut buf = BytesMut::new();
        assert!(stream.poll_read(&mut Context::from_waker(&waker), &mut buf, 1024).is_pending());
        if !woken.is_woken.load(Ordering::Relaxed) {
            break;
        }
        turns += 1;
    }
    assert!((1..10).contains(&turns), "{turns} turns");
}

/// Tokio, but its tasks can be stopped, and those who wake themselves to go on later are counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counting(Arc<Counts>);

impl Counting {
    pub(crate) fn stop(&self) {
        self.0.is_stopped.store(true, Ordering::Relaxed);
    }

    /// How many times a task has let others go first.
    pub(crate) fn turns(&self) -> usize {
        self.0.turns.load(Ordering::Relaxed)
    }

    pub(crate) fn go_on(&self) {
        self.0.is_stopped.store(false, Ordering::Relaxed);
        self.0.stopped.lock().unwrap().drain(..).for_each(Waker::wake);
    }
}

#[derive(Debug, Default)]
struct Counts {
    is_stopped: AtomicBool,
    stopped: Mutex<Vec<Waker>>,
    turns: AtomicUsize,
}

impl Runtime for Counting {
    type Timer = TokioTimer;

    fn now(&self) -> Instant {
        Tokio.now()
    }

    fn timer(&self, at: Instant) -> TokioTimer {
        Tokio.timer(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let counts = Arc::clone(&self.0);
        Tokio.spawn(async move {
            let mut task = pin!(task);
            poll_fn(|cx| {
                if counts.is_stopped.load(Ordering::Relaxed) {
                    counts.stopped.lock().unwrap().push(cx.waker().clone());
                    return Poll::Pending;
                }
                let woken = Woken::new(cx.waker().clone());
                let waker = Waker::from(Arc::clone(&woken));
                let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
                let goes_on = polled.is_pending() && woken.is_woken.load(Ordering::Relaxed);
                counts.turns.fetch_add(usize::from(goes_on), Ordering::Relaxed);
                polled
            })
            .await;
        });
    }
}

// RFC: H3-10.5-01
// THREAT: frame-flood
#[tokio::test]
async fn a_frame_to_be_ignored_on_the_control_stream_is_too() {
    assert_taken_in_turns(&endless_frame()).await;
}

// RFC: H3-10.5-01
// THREAT: frame-flood
#[tokio::test]
async fn small_frames_without_end_on_the_control_stream_are_too() {
    // MAX_PUSH_ID, which is of no consequence where nobody pushes.
    let small = [0xd, 8, 0xc0, 0, 0, 0, 0, 0, 0, 5];
    assert_taken_in_turns(&small.repeat(LEN / small.len())).await;
}

/// What comes all at once on the control stream does not keep its task from others.
async fn assert_taken_in_turns(bytes: &[u8]) {
    let host = host();
    let runtime = Counting::default();
    let (quic, receiver) = soon(async { tokio::join!(host.dial(), host.accept_quic()) }).await;
    let server = Server::accept(receiver.clone(), runtime.clone(), &host.setup.server);
    let (_server, mut peer) = soon(async { tokio::join!(server, RawPeer::new(quic, &[])) }).await;
    // The settings have come.
    tokio::time::sleep(Duration::from_millis(50)).await;
    runtime.stop();
    send_all(&mut peer.control, bytes, &receiver).await;
    let turns = &runtime.0.turns;
    turns.store(0, Ordering::Relaxed);
    runtime.go_on();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let turns = turns.load(Ordering::Relaxed);
    assert!((1..10).contains(&turns), "{turns} turns");
}
